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
  description = "ARN of the key for the instances' volumes and the logs."
  type        = string
  nullable    = false
}

variable "instance_type" {
  description = "Type of the endpoint's instances, such as ml.m5.large."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type))
    error_message = "A hosting instance type looks like ml.m5.large."
  }
}

variable "initial_instance_count" {
  description = "Instances to start with."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.initial_instance_count >= 1 && floor(var.initial_instance_count) == var.initial_instance_count
    error_message = "An endpoint starts with a whole number of instances, at least 1."
  }
}

variable "autoscaling" {
  description = "Target tracking on invocations per instance and minute, between two instance counts; cooldowns in seconds."
  type = object({
    enabled                         = optional(bool, true)
    min_capacity                    = optional(number, 1)
    max_capacity                    = optional(number, 3)
    target_invocations_per_instance = optional(number, 600)
    scale_in_cooldown               = optional(number, 30)
    scale_out_cooldown              = optional(number, 300)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !(var.autoscaling.enabled && can(regex("^ml\\.t[0-9]", var.instance_type)))
    error_message = "${var.instance_type} is burstable, and SageMaker does not scale burstable instances: choose another family (ml.m5.large, ml.c5.large, ...) or set autoscaling.enabled = false."
  }

  validation {
    condition     = var.autoscaling.min_capacity >= 1 && var.autoscaling.min_capacity <= var.autoscaling.max_capacity
    error_message = "Capacity must satisfy 1 <= min_capacity <= max_capacity: a real-time endpoint does not scale to zero."
  }

  validation {
    condition = !var.autoscaling.enabled || (
      var.initial_instance_count >= var.autoscaling.min_capacity
      && var.initial_instance_count <= var.autoscaling.max_capacity
    )
    error_message = "initial_instance_count must lie between min_capacity and max_capacity."
  }

  validation {
    condition     = var.autoscaling.target_invocations_per_instance > 0
    error_message = "The target of invocations per instance and minute must be positive."
  }

  validation {
    condition     = var.autoscaling.scale_in_cooldown >= 0 && var.autoscaling.scale_out_cooldown >= 0
    error_message = "Cooldowns are seconds, 0 or more."
  }
}

variable "deployment" {
  description = "Blue/green updates: seconds to watch the new fleet before the old one may go, seconds to keep the old one, alarms that roll back."
  type = object({
    wait_seconds             = optional(number, 0)
    termination_wait_seconds = optional(number, 60)
    rollback_alarm_names     = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for seconds in [var.deployment.wait_seconds, var.deployment.termination_wait_seconds] :
      seconds >= 0 && seconds <= 3600
    ])
    error_message = "SageMaker waits between 0 and 3600 seconds."
  }

  validation {
    condition     = length(var.deployment.rollback_alarm_names) <= 10
    error_message = "SageMaker watches at most 10 alarms."
  }
}

variable "log_retention_days" {
  description = "Days that the endpoint's log group keeps entries."
  type        = number
  default     = 365
  nullable    = false
}
