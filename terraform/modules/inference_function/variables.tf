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
  description = "ARN of the function's execution role."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the function's environment, logs and dead-letter queue."
  type        = string
  nullable    = false
}

variable "package" {
  description = <<-EOT
    Deployment package of the function.

    zip_path: Path of the zip file.
    handler: Handler in the zip, as module.function.
    runtime: Lambda runtime.
    architecture: Instruction set: x86_64 or arm64.
  EOT
  type = object({
    zip_path     = string
    handler      = optional(string, "handler.handler")
    runtime      = optional(string, "python3.12")
    architecture = optional(string, "x86_64")
  })
  nullable = false

  validation {
    condition     = fileexists(var.package.zip_path)
    error_message = "package.zip_path is ${var.package.zip_path}, and there is no such file: build the zip before the plan."
  }

  validation {
    condition     = contains(["x86_64", "arm64"], var.package.architecture)
    error_message = "package.architecture is ${var.package.architecture}: give x86_64 or arm64."
  }
}

variable "environment" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "memory_mb" {
  description = "Memory in MB. CPU grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb is ${var.memory_mb}: Lambda takes 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which Lambda ends an invocation."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds is ${var.timeout_seconds}: Lambda takes 1 to 900."
  }
}

variable "provisioned_concurrency" {
  description = "Number of execution environments to keep initialized; 0: none. With schedules, the number until the first schedule runs."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "provisioned_concurrency is ${var.provisioned_concurrency}: give a whole number, 0 or more."
  }
}

variable "schedules" {
  description = <<-EOT
    Times at which the provisioned concurrency changes.

    name: Name of the scheduled action.
    schedule: Expression at(...), cron(...) or rate(...).
    timezone: Time zone of the expression.
    provisioned_concurrency: Provisioned concurrency from then on.
  EOT
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
    error_message = "Every schedule needs a unique name of letters, digits and hyphens, and an expression such as cron(0 8 ? * MON-FRI *), at(2030-01-01T08:00:00) or rate(1 day)."
  }

  # At 0 Lambda deletes the configuration, and the next apply would create it again.
  validation {
    condition = alltrue([
      for action in var.schedules :
      action.provisioned_concurrency >= 1 && floor(action.provisioned_concurrency) == action.provisioned_concurrency
    ])
    error_message = "A schedule's provisioned_concurrency must be a whole number, 1 or more."
  }

  validation {
    condition     = length(var.schedules) == 0 || var.provisioned_concurrency >= 1
    error_message = "With schedules, provisioned_concurrency must be 1 or more: it applies until the first schedule runs."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrency, taken from the account's pool; it is also the function's limit. -1: none."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition = var.reserved_concurrency == -1 || (
      var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    )
    error_message = "reserved_concurrency is ${var.reserved_concurrency}: give a whole number, 1 or more, or -1 for none. 0 would throttle every invocation."
  }

  validation {
    condition = var.reserved_concurrency == -1 || (
      var.reserved_concurrency >= max(var.provisioned_concurrency, var.schedules[*].provisioned_concurrency...)
    )
    error_message = "reserved_concurrency is ${var.reserved_concurrency}: it must not be less than provisioned_concurrency, here and in schedules."
  }
}

variable "dead_letter_queue" {
  description = "Whether events of failed asynchronous invocations go to an SQS queue, for 14 days. The role must be allowed to send to it."
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
  description = <<-EOT
    Ways to call the function over HTTP, with AWS Signature Version 4.

    function_url: Whether to create a function URL.
    http_api: An HTTP API.
    http_api.enabled: Whether to create it.
    http_api.burst_limit: Requests that it accepts at once.
    http_api.rate_limit: Requests that it accepts a second.
  EOT
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
    error_message = "access.http_api.rate_limit must be more than 0 and burst_limit a whole number, 1 or more: otherwise the API refuses every request."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log group keeps entries."
  type        = number
  default     = 365
  nullable    = false
}
