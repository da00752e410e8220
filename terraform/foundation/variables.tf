variable "project" {
  description = "Name of the project, the first part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.project))
    error_message = "project is ${var.project}: use lower-case letters, digits and hyphens, such as image-classifier."
  }
}

variable "environment" {
  description = "Name of the environment, the second part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*$", var.environment))
    error_message = "environment is ${var.environment}: use lower-case letters and digits, such as dev."
  }

  validation {
    condition     = length("${var.project}-${var.environment}") <= 24
    error_message = "${var.project}-${var.environment} has more than 24 characters: a tuning job's name starts with it and has at most 32."
  }
}

variable "region" {
  description = "AWS region, such as us-east-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is ${var.region}: give an AWS region, such as us-east-1."
  }
}

variable "boundary_arn" {
  description = "ARN of the permissions boundary of every role, made by the access stack; empty: none."
  type        = string
  nullable    = false
}

variable "storage" {
  description = <<-EOT
    The bucket. For a field left out, the default of module storage applies.

    force_destroy: Whether Terraform may delete the bucket with its objects.
    expiry: Lifecycle rules, as the module takes them.
  EOT
  type = object({
    force_destroy = optional(bool)
    expiry        = optional(any)
  })
  default  = {}
  nullable = false
}

variable "key" {
  description = <<-EOT
    The KMS key.

    deletion_window_days: Days between scheduling its deletion and deleting it; the module's default if left out.
  EOT
  type = object({
    deletion_window_days = optional(number)
  })
  default  = {}
  nullable = false
}

variable "logs" {
  description = <<-EOT
    Log groups.

    retention_days: Days that they keep entries.
    manage_training_group: Whether this stack owns the log group that all training jobs of the account and region share.
    manage_processing_group: The same for processing jobs.
  EOT
  type = object({
    retention_days          = number
    manage_training_group   = bool
    manage_processing_group = bool
  })
  nullable = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.logs.retention_days
    )
    error_message = "logs.retention_days is ${var.logs.retention_days}: CloudWatch takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and some whole years."
  }
}

variable "images" {
  description = <<-EOT
    Amazon ECR repositories of AWS's Deep Learning Containers.

    account_id: Account of the registry.
    training_repository: Repository of the training image.
    serving_repository: Repository of the serving image.
  EOT
  type = object({
    account_id          = string
    training_repository = string
    serving_repository  = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.images.account_id))
    error_message = "images.account_id is ${var.images.account_id}: an account ID has 12 digits."
  }
}

variable "network" {
  description = <<-EOT
    A private network for training jobs and endpoints. For a field left out, the default of module network applies.

    enabled: Whether there is one.
    flow_logs: Whether its traffic is recorded.
    cidr: IPv4 range of the VPC.
    availability_zones: Availability Zones to choose from.
    zone_count: Number of Availability Zones with a subnet.
  EOT
  type = object({
    enabled            = bool
    flow_logs          = bool
    cidr               = optional(string)
    availability_zones = optional(list(string))
    zone_count         = optional(number)
  })
  nullable = false
}

variable "notifications" {
  description = <<-EOT
    Notifications of alarms, failed jobs and the budget.

    emails: Email addresses, each of which has to confirm.
  EOT
  type = object({
    emails = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "budget" {
  description = <<-EOT
    Monthly cost budget.

    monthly_usd: Limit of a month in USD; null: no budget.
  EOT
  type = object({
    monthly_usd = optional(number)
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
