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
  description = "Execution environments kept warm; 0 for none."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "Provisioned concurrency is a whole number, 0 or more."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log group keeps entries."
  type        = number
  default     = 365
  nullable    = false
}
