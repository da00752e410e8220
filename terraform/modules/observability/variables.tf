variable "endpoint_name" {
  description = "Name of the endpoint to watch; it need not be there yet."
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
  description = "Name of the function to watch; it need not be there yet."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.function_name) >= 1 && length(var.function_name) <= 64
    error_message = "A function's name has 1 to 64 characters."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic that is told of alarms and of their end; empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "thresholds" {
  description = "Above what an alarm goes off: errors in percent of a minute's requests, the 99th percentile of latencies in ms; and after how many minutes without a request (0: never)."
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
    error_message = "Errors are told from 0 to below 100 percent."
  }

  validation {
    condition     = var.thresholds.endpoint_p99_ms > 0 && var.thresholds.endpoint_p99_ms <= 60000
    error_message = "SageMaker gives a model 60000 ms: endpoint_p99_ms lies between 0 and that."
  }

  validation {
    condition     = var.thresholds.function_p99_ms > 0 && var.thresholds.function_p99_ms <= 900000
    error_message = "Lambda gives a function 900000 ms: function_p99_ms lies between 0 and that."
  }

  validation {
    condition     = var.thresholds.silent_minutes >= 0 && var.thresholds.silent_minutes <= 1440 && floor(var.thresholds.silent_minutes) == var.thresholds.silent_minutes
    error_message = "silent_minutes is a whole number up to 1440: CloudWatch looks back a day at most."
  }
}

variable "dashboard" {
  description = "Whether to make a dashboard."
  type        = bool
  default     = true
  nullable    = false
}
