variable "project" {
  description = "Name of the project, as in the foundation stack."
  type        = string
  default     = "image-classifier"
  nullable    = false
}

variable "environment" {
  description = "Name of the environment, as in the foundation stack."
  type        = string
  nullable    = false
}

variable "region" {
  description = "AWS region, as in the foundation stack."
  type        = string
  nullable    = false
}

variable "endpoint_name" {
  description = "Name of the endpoint: <project>-<environment>, or that with a suffix for another beside it."
  type        = string
  nullable    = false

  validation {
    condition = (
      var.endpoint_name == "${var.project}-${var.environment}"
      || startswith(var.endpoint_name, "${var.project}-${var.environment}-")
    )
    error_message = "The endpoint's name must start with ${var.project}-${var.environment}: the roles are scoped to that."
  }
}

variable "model_package_arn" {
  description = "ARN of the registered model version to serve."
  type        = string
  nullable    = false
}

variable "instance_type" {
  description = "Type of the endpoint's instances, such as ml.m5.large."
  type        = string
  default     = "ml.m5.large"
  nullable    = false
}

variable "initial_instance_count" {
  description = "Instances to start with."
  type        = number
  default     = 1
  nullable    = false
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
}

variable "lambda" {
  description = "The inference function: its zip, its size, how much of it is kept warm, and which pictures it accepts."
  type = object({
    zip_path                = string
    architecture            = optional(string, "x86_64")
    memory_mb               = optional(number, 256)
    timeout_seconds         = optional(number, 60)
    provisioned_concurrency = optional(number, 2)
    max_image_bytes         = optional(number, 4500000)
    allowed_url_hosts       = optional(list(string), [])
    image_prefix            = optional(string, "datasets/")
    log_level               = optional(string, "INFO")
  })
  nullable = false

  validation {
    condition     = var.lambda.max_image_bytes >= 1 && var.lambda.max_image_bytes <= 4500000
    error_message = "max_image_bytes may be 4500000: larger pictures do not fit Lambda's 6 MB payload as base64."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.lambda.log_level)
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "logs" {
  description = "Log groups: days they keep entries."
  type = object({
    retention_days = optional(number, 365)
  })
  default  = {}
  nullable = false
}
