variable "project" {
  description = "Name of the project: the first part of every resource's name."
  type        = string
  default     = "image-classifier"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.project))
    error_message = "The project has lower-case letters, digits and hyphens, such as image-classifier."
  }
}

variable "environment" {
  description = "Name of the environment: the second part of every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*$", var.environment))
    error_message = "The environment has lower-case letters and digits, such as dev."
  }

  validation {
    condition     = length("${var.project}-${var.environment}") <= 24
    error_message = "Project and environment may have 24 characters together: a tuning job's name, which starts with both, has at most 32."
  }
}

variable "region" {
  description = "AWS region, such as us-east-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region must be an AWS region, such as us-east-1."
  }
}

variable "storage" {
  description = "The bucket: whether destroying it may delete its objects, and when old ones expire."
  type = object({
    force_destroy = optional(bool, false)
    expiry = optional(object({
      enabled                 = optional(bool, true)
      noncurrent_version_days = optional(number, 30)
      checkpoint_days         = optional(number, 14)
      incomplete_upload_days  = optional(number, 7)
    }), {})
  })
  default  = {}
  nullable = false
}

variable "key" {
  description = "The encryption key: days between the order to delete it and its deletion."
  type = object({
    deletion_window_days = optional(number, 30)
  })
  default  = {}
  nullable = false
}

variable "logs" {
  description = "Log groups: days they keep entries, and whether this environment owns the account's one for training jobs."
  type = object({
    retention_days        = optional(number, 365)
    manage_training_group = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.logs.retention_days
    )
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 days or certain whole years."
  }
}

variable "images" {
  description = "Where AWS's Deep Learning Containers come from: registry account and repositories."
  type = object({
    account_id          = optional(string, "763104351884")
    training_repository = optional(string, "pytorch")
    serving_repository  = optional(string, "ray")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.images.account_id))
    error_message = "The registry's account has 12 digits."
  }
}

variable "network" {
  description = "A private network for training jobs and endpoints: whether there is one, its addresses, its Availability Zones (empty: the region's), how many of them, and whether its traffic is recorded."
  type = object({
    enabled            = optional(bool, false)
    cidr               = optional(string, "10.40.0.0/20")
    availability_zones = optional(list(string), [])
    zone_count         = optional(number, 2)
    flow_logs          = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "boundary_arn" {
  description = "ARN of the policy that bounds the roles of the environment, made by the access stack; empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "tags" {
  description = "Tags of everything, beside Project, Environment, Stack and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for value in values(var.tags) : can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,256}$", value))])
    error_message = "A tag's value has 1 to 256 letters, digits, spaces and _.:/=+@-."
  }
}

variable "notifications" {
  description = "Who is told of alarms, of failed jobs and of the budget: addresses, each of which has to confirm."
  type = object({
    emails = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "budget" {
  description = "What a month may cost, in USD; null for no budget."
  type = object({
    monthly_usd = optional(number)
  })
  default  = {}
  nullable = false
}
