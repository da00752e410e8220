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

variable "github" {
  description = <<-EOT
    GitHub Actions, which plans and applies the stacks.

    repository: Repository as owner/name; empty: no roles for CI.
    environment: Protected GitHub environment whose jobs may apply.
    create_identity_provider: Whether this stack creates GitHub's identity provider, of which an account has one.
  EOT
  type = object({
    repository               = string
    environment              = string
    create_identity_provider = bool
  })
  nullable = false

  validation {
    condition     = var.github.repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github.repository is ${var.github.repository}: give owner/name, without wildcards."
  }

  validation {
    condition     = var.github.repository == "" || can(regex("^[A-Za-z0-9._-]+$", var.github.environment))
    error_message = "github.environment is ${var.github.environment}: give a name of letters, digits, dots, _ and -. Without one, any job of the repository could apply."
  }
}

variable "image_account_id" {
  description = "Account of the registry of AWS's Deep Learning Containers, as in the foundation stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.image_account_id))
    error_message = "image_account_id is ${var.image_account_id}: an account ID has 12 digits."
  }
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
