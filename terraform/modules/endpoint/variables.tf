variable "name" {
  description = "Name of the endpoint; the names of its models and configurations start with it."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) <= 54 && can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", var.name))
    error_message = "The endpoint's name has at most 54 letters, digits and hyphens: 63 less a hash."
  }
}

variable "model_package_arn" {
  description = "ARN of the registered model version to serve."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:sagemaker:[^:]+:[0-9]{12}:model-package/[^/]+/[0-9]+$", var.model_package_arn))
    error_message = "The model must be the ARN of a version in a model package group: arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION."
  }
}

variable "execution_role_arn" {
  description = "ARN of the role that the model's containers run under."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key for the instances' volumes, the logs, captured data and asynchronous answers."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Bucket for captured data and asynchronous answers."
  type        = string
  nullable    = false
}

variable "hosting" {
  description = "How the endpoint serves, one of: instance (real time, on instances), serverless, asynchronous (requests and answers in S3, on instances, which may be none)."
  type = object({
    instance = optional(object({
      type          = string
      initial_count = optional(number, 1)
    }))
    serverless = optional(object({
      memory_mb               = optional(number, 4096)
      max_concurrency         = optional(number, 5)
      provisioned_concurrency = optional(number, 0)
    }))
    asynchronous = optional(object({
      instance_type                           = string
      initial_count                           = optional(number, 1)
      prefix                                  = optional(string, "async/")
      max_concurrent_invocations_per_instance = optional(number)
      success_topic_arn                       = optional(string)
      error_topic_arn                         = optional(string)
    }))
  })
  nullable = false

  validation {
    condition     = length([for kind, settings in var.hosting : kind if settings != null]) == 1
    error_message = "Give exactly one of hosting.instance, hosting.serverless and hosting.asynchronous."
  }

  validation {
    condition = alltrue([
      for type in compact([try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)]) :
      can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", type))
    ])
    error_message = "A hosting instance type looks like ml.m5.large."
  }

  validation {
    condition = alltrue([
      for count in [try(var.hosting.instance.initial_count, 1), try(var.hosting.asynchronous.initial_count, 1)] :
      count >= 1 && floor(count) == count
    ])
    error_message = "An endpoint starts with a whole number of instances, at least 1."
  }

  validation {
    condition     = contains([1024, 2048, 3072, 4096, 5120, 6144], try(var.hosting.serverless.memory_mb, 1024))
    error_message = "Serverless memory is 1024, 2048, 3072, 4096, 5120 or 6144 MB."
  }

  validation {
    condition = (
      try(var.hosting.serverless.max_concurrency, 1) >= 1 && try(var.hosting.serverless.max_concurrency, 1) <= 200
      && try(var.hosting.serverless.provisioned_concurrency, 0) >= 0
      && try(var.hosting.serverless.provisioned_concurrency <= var.hosting.serverless.max_concurrency, true)
    )
    error_message = "Serverless concurrency must satisfy 0 <= provisioned_concurrency <= max_concurrency and 1 <= max_concurrency <= 200."
  }

  validation {
    condition = (
      try(coalesce(var.hosting.asynchronous.max_concurrent_invocations_per_instance, 1), 1) >= 1
      && try(coalesce(var.hosting.asynchronous.max_concurrent_invocations_per_instance, 1), 1) <= 1000
    )
    error_message = "max_concurrent_invocations_per_instance is 1 to 1000; without it SageMaker chooses."
  }

  validation {
    condition     = can(regex("^([a-zA-Z0-9_.-]+/)+$", try(var.hosting.asynchronous.prefix, "async/")))
    error_message = "The prefix of asynchronous answers looks like async/."
  }
}

variable "variants" {
  description = "Another model beside the main one: second takes a whole percentage of the requests (A/B test), shadow gets a copy of a whole percentage of them, and nobody sees its answers."
  type = object({
    second = optional(object({
      model_package_arn  = string
      traffic_percentage = number
    }))
    shadow = optional(object({
      model_package_arn   = string
      sampling_percentage = optional(number, 100)
      instance_count      = optional(number, 1)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.variants.second == null || var.variants.shadow == null
    error_message = "SageMaker takes a second production variant or a shadow variant, not both: remove variants.second or variants.shadow."
  }

  # The provider reads fractions back changed, and would replace the configuration at every apply
  # (terraform-provider-aws#43643).
  validation {
    condition = alltrue([
      for percentage in [try(var.variants.second.traffic_percentage, 1)] :
      floor(percentage) == percentage && percentage >= 1 && percentage <= 99
    ])
    error_message = "traffic_percentage is a whole number from 1 to 99: fractional weights would replace the configuration at every apply."
  }

  validation {
    condition = alltrue([
      for percentage in [try(var.variants.shadow.sampling_percentage, 1)] :
      floor(percentage) == percentage && percentage >= 1 && percentage <= 100
    ])
    error_message = "sampling_percentage is a whole number from 1 to 100: fractional weights would replace the configuration at every apply."
  }

  validation {
    condition = (
      try(var.variants.shadow.instance_count, 1) >= 1
      && floor(try(var.variants.shadow.instance_count, 1)) == try(var.variants.shadow.instance_count, 1)
    )
    error_message = "A shadow variant has a whole number of instances, at least 1; it does not scale."
  }

  validation {
    condition     = var.hosting.serverless == null || (var.variants.second == null && var.variants.shadow == null)
    error_message = "A serverless endpoint has one variant: remove variants.second and variants.shadow, or serve on instances."
  }

  validation {
    condition     = var.hosting.asynchronous == null || var.variants.shadow == null
    error_message = "An asynchronous endpoint has no shadow variant: remove variants.shadow, or serve in real time."
  }

  validation {
    condition = alltrue([
      for arn in compact([try(var.variants.second.model_package_arn, null), try(var.variants.shadow.model_package_arn, null)]) :
      can(regex("^arn:[^:]+:sagemaker:[^:]+:[0-9]{12}:model-package/[^/]+/[0-9]+$", arn))
    ])
    error_message = "A variant's model must be the ARN of a version in a model package group: arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION."
  }
}

variable "data_capture" {
  description = "Keeps a whole percentage of requests and answers as JSON lines in the bucket, encrypted, under prefix."
  type = object({
    enabled             = optional(bool, false)
    sampling_percentage = optional(number, 100)
    prefix              = optional(string, "capture/")
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.data_capture.enabled || var.hosting.serverless == null
    error_message = "A serverless endpoint captures no data: set data_capture.enabled = false, or serve on instances."
  }

  validation {
    condition = (
      floor(var.data_capture.sampling_percentage) == var.data_capture.sampling_percentage
      && var.data_capture.sampling_percentage >= 1 && var.data_capture.sampling_percentage <= 100
    )
    error_message = "sampling_percentage is a whole number from 1 to 100."
  }

  validation {
    condition     = can(regex("^([a-zA-Z0-9_.-]+/)+$", var.data_capture.prefix))
    error_message = "The prefix of captured data looks like capture/."
  }
}

variable "network" {
  description = "Private subnets and security groups of the containers; none: SageMaker's own network. Network isolation is on either way."
  type = object({
    subnet_ids         = optional(list(string), [])
    security_group_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = (length(var.network.subnet_ids) == 0) == (length(var.network.security_group_ids) == 0)
    error_message = "Give both subnet_ids and security_group_ids, or neither."
  }

  validation {
    condition     = length(var.network.subnet_ids) == 0 || var.hosting.serverless == null
    error_message = "A serverless endpoint runs in no network of yours: remove the subnets, or serve on instances."
  }
}

variable "autoscaling" {
  description = "Follows the load between two instance counts, each production variant for itself: target tracking on invocations per instance and minute, or on concurrent requests per model if that target is given, or on the backlog of an asynchronous endpoint; schedules change the bounds. Cooldowns in seconds."
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
    error_message = "${try(coalesce(try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)), "The instance type")} is burstable, and SageMaker does not scale burstable instances: choose another family (ml.m5.large, ml.c5.large, ...) or set autoscaling.enabled = false."
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
    error_message = "initial_count must lie between min_capacity and max_capacity."
  }

  validation {
    condition = (
      var.autoscaling.target_invocations_per_instance > 0
      && coalesce(var.autoscaling.target_concurrent_requests_per_model, 1) > 0
      && var.autoscaling.target_backlog_per_instance > 0
    )
    error_message = "Targets of autoscaling must be positive."
  }

  validation {
    condition     = var.autoscaling.scale_in_cooldown >= 0 && var.autoscaling.scale_out_cooldown >= 0
    error_message = "Cooldowns are seconds, 0 or more."
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
    error_message = "Every schedule has a name of its own, an expression such as cron(0 8 ? * MON-FRI *), at(2030-01-01T08:00:00) or rate(1 day), and min_capacity or max_capacity or both, in order; only an asynchronous endpoint goes to 0."
  }
}

variable "deployment" {
  description = "Updates: traffic_shifting all_at_once, canary (one step, then the rest), linear (steps) or rolling (batches, which need no second fleet); a step or batch as a percentage of the fleet or a number of instances; seconds to watch each step and to keep the old fleet; a limit in seconds for all of it; names of alarms that roll back."
  type = object({
    traffic_shifting          = optional(string, "all_at_once")
    step_percentage           = optional(number)
    step_instances            = optional(number)
    wait_seconds              = optional(number, 0)
    termination_wait_seconds  = optional(number, 60)
    maximum_execution_seconds = optional(number)
    rollback_alarm_names      = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["all_at_once", "canary", "linear", "rolling"], var.deployment.traffic_shifting)
    error_message = "traffic_shifting is all_at_once, canary, linear or rolling."
  }

  validation {
    condition = (
      length(compact([var.deployment.step_percentage, var.deployment.step_instances]))
      == (var.deployment.traffic_shifting == "all_at_once" ? 0 : 1)
    )
    error_message = "Canary, linear and rolling updates need step_percentage or step_instances, one of them; all_at_once takes neither."
  }

  validation {
    condition = var.deployment.step_percentage == null || (
      coalesce(var.deployment.step_percentage, 10) >= lookup({ linear = 10, rolling = 5 }, var.deployment.traffic_shifting, 1)
      && coalesce(var.deployment.step_percentage, 10) <= 50
    )
    error_message = "step_percentage is 1 to 50 for a canary, 10 to 50 for a linear step, 5 to 50 for a rolling batch."
  }

  validation {
    condition = coalesce(var.deployment.step_instances, 1) >= 1 && (
      floor(coalesce(var.deployment.step_instances, 1)) == coalesce(var.deployment.step_instances, 1)
    )
    error_message = "step_instances is a whole number, at least 1, and at most half of the fleet."
  }

  validation {
    condition = alltrue([
      for seconds in [var.deployment.wait_seconds, var.deployment.termination_wait_seconds] :
      seconds >= 0 && seconds <= 3600
    ])
    error_message = "SageMaker waits between 0 and 3600 seconds."
  }

  validation {
    condition = var.deployment.maximum_execution_seconds == null || (
      coalesce(var.deployment.maximum_execution_seconds, 600) >= 600
      && coalesce(var.deployment.maximum_execution_seconds, 600) <= 28800
      && coalesce(var.deployment.maximum_execution_seconds, 600) > (
        var.deployment.termination_wait_seconds + var.deployment.wait_seconds * (
          contains(["linear", "rolling"], var.deployment.traffic_shifting) ? ceil(100 / coalesce(var.deployment.step_percentage, 50)) : 1
        )
      )
    )
    error_message = "maximum_execution_seconds is 600 to 28800, and more than all the waits together."
  }

  validation {
    condition     = length(var.deployment.rollback_alarm_names) <= 10
    error_message = "SageMaker watches at most 10 alarms."
  }

  validation {
    condition     = var.hosting.serverless == null || var.deployment.traffic_shifting == "all_at_once"
    error_message = "A serverless endpoint has no instances to shift step by step: set traffic_shifting = \"all_at_once\"."
  }
}

variable "deployed" {
  description = "What is there before this deployment, as the tasks read it from the output generations and the live endpoint: generations, newest first; key of the one that serves; instances of each variant. Empty for a new endpoint."
  type = object({
    generations = optional(list(object({
      key                = string
      execution_role_arn = string
      network_isolation  = bool
      kms_key_arn        = optional(string)
      network = optional(object({
        subnet_ids         = list(string)
        security_group_ids = list(string)
      }))
      data_capture = optional(object({
        uri                 = string
        kms_key_arn         = string
        sampling_percentage = number
      }))
      asynchronous = optional(object({
        output_uri                              = string
        failure_uri                             = string
        kms_key_arn                             = string
        max_concurrent_invocations_per_instance = optional(number)
        success_topic_arn                       = optional(string)
        error_topic_arn                         = optional(string)
      }))
      variants = list(object({
        name              = string
        model_name        = string
        model_package_arn = string
        weight            = number
        shadow            = bool
        instance_type     = optional(string)
        instance_count    = optional(number)
        serverless = optional(object({
          memory_mb               = number
          max_concurrency         = number
          provisioned_concurrency = number
        }))
      }))
    })), [])
    live            = optional(string, "")
    instance_counts = optional(map(number), {})
  })
  default  = {}
  nullable = false
}

variable "log_retention_days" {
  description = "Days that the endpoint's log group keeps entries."
  type        = number
  default     = 365
  nullable    = false
}
