variable "autoscaling" {
  description = <<-EOT
    Target tracking for each production variant, between two instance counts.

    enabled: Whether variants scale.
    min_capacity: Minimum number of instances; 0 for an asynchronous endpoint only.
    max_capacity: Maximum number of instances.
    target_invocations_per_instance: Target of invocations per instance and minute.
    target_concurrent_requests_per_model: Target of concurrent requests per model, used instead of invocations; null: not used.
    target_backlog_per_instance: Target of waiting requests per instance of an asynchronous endpoint.
    scale_in_cooldown: Seconds after a scale-in before the next one.
    scale_out_cooldown: Seconds after a scale-out before the next one.
    schedules: Times at which the bounds change.
    schedules.name: Name of the scheduled action.
    schedules.schedule: Expression at(...), cron(...) or rate(...).
    schedules.timezone: Time zone of the expression.
    schedules.min_capacity: New minimum; null: unchanged.
    schedules.max_capacity: New maximum; null: unchanged.
  EOT
  type = object({
    enabled                              = optional(bool, true)
    min_capacity                         = optional(number, 1)
    max_capacity                         = optional(number, 3)
    target_invocations_per_instance      = optional(number, 600)
    target_concurrent_requests_per_model = optional(number)
    target_backlog_per_instance          = optional(number, 5)
    scale_in_cooldown                    = optional(number, 30)
    scale_out_cooldown                   = optional(number, 300)
    schedules = optional(list(object({
      name         = string
      schedule     = string
      timezone     = optional(string, "UTC")
      min_capacity = optional(number)
      max_capacity = optional(number)
    })), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = !var.autoscaling.enabled || !can(regex("^ml\\.t[0-9]", try(
      coalesce(try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)), ""
    )))
    error_message = "${try(coalesce(try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)), "The instance type")} cannot scale: SageMaker refuses autoscaling for burstable types. Choose another family (ml.m5.large, ml.c5.large, ...), or set autoscaling.enabled = false."
  }

  validation {
    condition = (
      var.autoscaling.min_capacity >= (var.hosting.asynchronous == null ? 1 : 0)
      && var.autoscaling.min_capacity <= var.autoscaling.max_capacity && var.autoscaling.max_capacity >= 1
    )
    error_message = "Capacity must satisfy 1 <= min_capacity <= max_capacity: only an asynchronous endpoint scales to zero."
  }

  validation {
    condition = !var.autoscaling.enabled || alltrue([
      for count in compact([try(var.hosting.instance.initial_count, null), try(var.hosting.asynchronous.initial_count, null)]) :
      tonumber(count) >= var.autoscaling.min_capacity && tonumber(count) <= var.autoscaling.max_capacity
    ])
    error_message = "initial_count must be between autoscaling.min_capacity and max_capacity."
  }

  validation {
    condition = (
      var.autoscaling.target_invocations_per_instance > 0
      && coalesce(var.autoscaling.target_concurrent_requests_per_model, 1) > 0
      && var.autoscaling.target_backlog_per_instance > 0
    )
    error_message = "The targets of autoscaling must be more than 0."
  }

  validation {
    condition     = var.autoscaling.scale_in_cooldown >= 0 && var.autoscaling.scale_out_cooldown >= 0
    error_message = "scale_in_cooldown and scale_out_cooldown must be 0 seconds or more."
  }

  validation {
    condition = (
      length(distinct(var.autoscaling.schedules[*].name)) == length(var.autoscaling.schedules)
      && alltrue([
        for action in var.autoscaling.schedules :
        can(regex("^(at|cron|rate)\\(.+\\)$", action.schedule))
        && (action.min_capacity != null || action.max_capacity != null)
        && try(action.min_capacity <= action.max_capacity, true)
        && coalesce(action.min_capacity, 1) >= (var.hosting.asynchronous == null ? 1 : 0)
      ])
    )
    error_message = "Every schedule needs a unique name, an expression such as cron(0 8 ? * MON-FRI *), at(2030-01-01T08:00:00) or rate(1 day), and min_capacity, max_capacity or both, with min_capacity <= max_capacity. Only an asynchronous endpoint scales to zero."
  }
}
