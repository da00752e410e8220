variable "project" {
  description = "Name of the project, as in the foundation stack."
  type        = string
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

variable "boundary_arn" {
  description = "ARN of the permissions boundary of every role, made by the access stack; empty: none."
  type        = string
  nullable    = false
}

variable "endpoint_name" {
  description = "Name of the endpoint: <project>-<environment>, with a suffix for a further endpoint."
  type        = string
  nullable    = false

  validation {
    condition = (
      var.endpoint_name == "${var.project}-${var.environment}"
      || startswith(var.endpoint_name, "${var.project}-${var.environment}-")
    )
    error_message = "endpoint_name is ${var.endpoint_name}: it must start with ${var.project}-${var.environment}, the prefix in the roles' policies."
  }
}

variable "model_package_arn" {
  description = "ARN of the registered model version to serve."
  type        = string
  nullable    = false
}

variable "hosting" {
  description = "Input hosting of module endpoint, which declares its fields."
  type        = any
  nullable    = false

  validation {
    condition     = startswith(try(coalesce(var.hosting.asynchronous.prefix), "async/"), "async/")
    error_message = "hosting.asynchronous.prefix must start with async/: the endpoint's role may write nowhere else."
  }
}

variable "variants" {
  description = "Input variants of module endpoint, which declares its fields."
  type        = any
  default     = {}
  nullable    = false
}

variable "data_capture" {
  description = "Input data_capture of module endpoint, which declares its fields."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = startswith(try(coalesce(var.data_capture.prefix), "capture/"), "capture/")
    error_message = "data_capture.prefix must start with capture/: the endpoint's role may write nowhere else."
  }
}

variable "autoscaling" {
  description = "Input autoscaling of module endpoint, which declares its fields."
  type        = any
  default     = {}
  nullable    = false
}

variable "deployment" {
  description = "Input deployment of module endpoint, which declares its fields."
  type        = any
  default     = {}
  nullable    = false
}

variable "deployed" {
  description = "Input deployed of module endpoint, which declares its fields."
  type        = any
  default     = {}
  nullable    = false
}

variable "lambda" {
  description = <<-EOT
    The inference function. For a field left out, the default of module inference_function applies.

    zip_path: Path of the function's zip file.
    architecture: Instruction set: x86_64 or arm64.
    memory_mb: Memory in MB.
    timeout_seconds: Seconds after which Lambda ends an invocation.
    provisioned_concurrency: Number of execution environments to keep initialized.
    schedules: Times at which the provisioned concurrency changes, as the module takes them.
    reserved_concurrency: Reserved concurrency; null: none.
    dead_letter_queue: Whether events of failed asynchronous invocations go to a queue.
    tracing: Whether X-Ray traces a sample of the invocations.
    access: Ways to call the function over HTTP, as the module takes them.
    max_image_bytes: Largest image that the function accepts, in bytes.
    allowed_url_hosts: Hosts that the function may fetch images from.
    image_prefix: Prefix in the bucket of the images that the function may read.
    log_level: DEBUG, INFO, WARNING or ERROR.
  EOT
  type = object({
    zip_path                = string
    architecture            = optional(string)
    memory_mb               = optional(number)
    timeout_seconds         = optional(number)
    provisioned_concurrency = optional(number)
    schedules               = optional(any)
    reserved_concurrency    = optional(number)
    dead_letter_queue       = bool
    tracing                 = bool
    access                  = optional(any)
    max_image_bytes         = optional(number, 4500000)
    allowed_url_hosts       = list(string)
    image_prefix            = optional(string, "datasets/")
    log_level               = optional(string, "INFO")
  })
  nullable = false

  validation {
    condition     = var.lambda.max_image_bytes >= 1 && var.lambda.max_image_bytes <= 4500000
    error_message = "lambda.max_image_bytes is ${var.lambda.max_image_bytes}: give 1 to 4500000. A larger image, as base64, exceeds Lambda's 6 MB payload."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.lambda.log_level)
    error_message = "lambda.log_level is ${var.lambda.log_level}: give DEBUG, INFO, WARNING or ERROR."
  }
}

variable "logs" {
  description = <<-EOT
    Log groups of the endpoint and the function.

    retention_days: Days that they keep entries; the modules' default if left out.
  EOT
  type = object({
    retention_days = optional(number)
  })
  default  = {}
  nullable = false
}

variable "observability" {
  description = <<-EOT
    Alarms and dashboard. For a field left out, the default of module observability applies.

    dashboard: Whether to create a dashboard.
    thresholds: Thresholds of the alarms, as the module takes them.
  EOT
  type = object({
    dashboard  = optional(bool)
    thresholds = optional(any)
  })
  default  = {}
  nullable = false
}

variable "tags" {
  description = "Tags of every resource, in addition to Project, Environment, Stack and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for value in values(var.tags) : can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,256}$", value))])
    error_message = "A tag's value has 1 to 256 letters, digits, spaces and _.:/=+@-."
  }
}
