variable "endpoint_name" {
  description = "Name of the endpoint to watch; it need not exist yet."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.endpoint_name) >= 1 && length(var.endpoint_name) <= 63
    error_message = "An endpoint's name has 1 to 63 characters."
  }
}

variable "variant_name" {
  description = "Name of the variant to watch."
  type        = string
  default     = "AllTraffic"
  nullable    = false
}

variable "function_name" {
  description = "Name of the function to watch; it need not exist yet."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.function_name) >= 1 && length(var.function_name) <= 64
    error_message = "A function's name has 1 to 64 characters."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic that gets alarms and their recovery; empty: none."
  type        = string
  default     = ""
  nullable    = false
}

variable "thresholds" {
  description = <<-EOT
    Thresholds of the alarms.

    endpoint_error_percent: Percentage of an endpoint's requests in a minute that fail with 5XX.
    endpoint_p99_ms: 99th percentile of the model's latency, in ms.
    function_error_percent: Percentage of the function's invocations in a minute that fail.
    function_p99_ms: 99th percentile of the function's duration, in ms.
    silent_minutes: Minutes without a request to the endpoint; 0: no such alarm.
  EOT
  type = object({
    endpoint_error_percent = optional(number, 1)
    endpoint_p99_ms        = optional(number, 2000)
    function_error_percent = optional(number, 1)
    function_p99_ms        = optional(number, 5000)
    silent_minutes         = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for percent in [var.thresholds.endpoint_error_percent, var.thresholds.function_error_percent] :
      percent >= 0 && percent < 100
    ])
    error_message = "endpoint_error_percent and function_error_percent must be 0 or more and less than 100."
  }

  validation {
    condition     = var.thresholds.endpoint_p99_ms > 0 && var.thresholds.endpoint_p99_ms <= 60000
    error_message = "endpoint_p99_ms must be more than 0 and at most 60000: SageMaker ends a request after 60 s."
  }

  validation {
    condition     = var.thresholds.function_p99_ms > 0 && var.thresholds.function_p99_ms <= 900000
    error_message = "function_p99_ms must be more than 0 and at most 900000: Lambda ends an invocation after 900 s."
  }

  validation {
    condition     = var.thresholds.silent_minutes >= 0 && var.thresholds.silent_minutes <= 1440 && floor(var.thresholds.silent_minutes) == var.thresholds.silent_minutes
    error_message = "silent_minutes must be a whole number from 0 to 1440: CloudWatch evaluates a day at most."
  }
}

variable "dashboard" {
  description = "Whether to create a dashboard."
  type        = bool
  default     = true
  nullable    = false
}
