variable "name" {
  description = "Name of the function."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.name))
    error_message = "A function's name has 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "role_arn" {
  description = "ARN of the role that the function runs under."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key for the function's environment and logs."
  type        = string
  nullable    = false
}

variable "package" {
  description = "The code: path of the zip, its handler, and the processor it is for."
  type = object({
    zip_path     = string
    handler      = optional(string, "handler.handler")
    runtime      = optional(string, "python3.12")
    architecture = optional(string, "x86_64")
  })
  nullable = false

  validation {
    condition     = fileexists(var.package.zip_path)
    error_message = "There is no zip at ${var.package.zip_path}: it must be built before the plan."
  }

  validation {
    condition     = contains(["x86_64", "arm64"], var.package.architecture)
    error_message = "Lambda runs on x86_64 or arm64."
  }
}

variable "environment" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "memory_mb" {
  description = "Memory of the function in MB; its share of a processor grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "Lambda gives a function 128 to 10240 MB."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which Lambda ends an invocation."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "An invocation may last 1 to 900 seconds."
  }
}

variable "provisioned_concurrency" {
  description = "Execution environments kept warm; 0 for none. With schedules, until the first of them."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "Provisioned concurrency is a whole number, 0 or more."
  }
}

variable "schedules" {
  description = "At these times other numbers of environments are kept warm, from then on. schedule: at(...), cron(...) or rate(...), in a time zone."
  type = list(object({
    name                    = string
    schedule                = string
    timezone                = optional(string, "UTC")
    provisioned_concurrency = number
  }))
  default  = []
  nullable = false

  validation {
    condition = (
      length(distinct(var.schedules[*].name)) == length(var.schedules)
      && alltrue([
        for action in var.schedules :
        can(regex("^[a-zA-Z0-9-]{1,64}$", action.name)) && can(regex("^(at|cron|rate)\\(.+\\)$", action.schedule))
      ])
    )
    error_message = "Every schedule has a name of its own, of letters, digits and hyphens, and an expression such as cron(0 8 ? * MON-FRI *), at(2030-01-01T08:00:00) or rate(1 day)."
  }

  # At none Lambda drops the configuration, which the next apply would make anew.
  validation {
    condition = alltrue([
      for action in var.schedules :
      action.provisioned_concurrency >= 1 && floor(action.provisioned_concurrency) == action.provisioned_concurrency
    ])
    error_message = "A schedule keeps a whole number of environments warm, 1 or more."
  }

  validation {
    condition     = length(var.schedules) == 0 || var.provisioned_concurrency >= 1
    error_message = "Schedules change what is kept warm: provisioned_concurrency, which holds until the first, must be 1 or more."
  }
}

variable "reserved_concurrency" {
  description = "Most environments at a time, taken from what the account's functions share; -1 for no limit but the account's."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition = var.reserved_concurrency == -1 || (
      var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    )
    error_message = "Reserved concurrency is a whole number, 1 or more, or -1 for none: at 0 every invocation would be throttled."
  }

  validation {
    condition = var.reserved_concurrency == -1 || (
      var.reserved_concurrency >= max(var.provisioned_concurrency, var.schedules[*].provisioned_concurrency...)
    )
    error_message = "Reserved concurrency holds what is kept warm: it must not be less than provisioned_concurrency, of schedules too."
  }
}

variable "dead_letter_queue" {
  description = "Whether events of asynchronous invocations that failed are kept in a queue, for 14 days. The role must be allowed to send to it."
  type        = bool
  default     = true
  nullable    = false
}

variable "tracing" {
  description = "Whether X-Ray traces a sample of the invocations. The role must be allowed to send traces."
  type        = bool
  default     = true
  nullable    = false
}

variable "access" {
  description = "Ways to the function beside Invoke, all for callers that IAM allows: a function URL; an HTTP API, throttled to burst_limit requests at once and rate_limit a second."
  type = object({
    function_url = optional(bool, false)
    http_api = optional(object({
      enabled     = optional(bool, false)
      burst_limit = optional(number, 20)
      rate_limit  = optional(number, 10)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.access.http_api.rate_limit > 0
      && var.access.http_api.burst_limit >= 1
      && floor(var.access.http_api.burst_limit) == var.access.http_api.burst_limit
    )
    error_message = "The HTTP API's rate_limit must be above 0 and its burst_limit a whole number, 1 or more: else it refuses every request."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log group keeps entries."
  type        = number
  default     = 365
  nullable    = false
}
