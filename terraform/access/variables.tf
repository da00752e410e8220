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

variable "github" {
  description = "The repository whose jobs plan and apply, as owner/name (empty: none), the protected environment that may apply, and whether this stack makes GitHub's identity provider, of which an account has one."
  type = object({
    repository               = optional(string, "")
    environment              = optional(string, "")
    create_identity_provider = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.github.repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "The repository is owner/name, without wildcards, not ${var.github.repository}."
  }

  validation {
    condition     = var.github.repository == "" || can(regex("^[A-Za-z0-9._-]+$", var.github.environment))
    error_message = "The protected environment has letters, digits, dots, _ and -, not ${var.github.environment}: any job of the repository could apply otherwise."
  }
}

variable "image_account_id" {
  description = "Registry account of AWS's Deep Learning Containers, as in the foundation stack."
  type        = string
  default     = "763104351884"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.image_account_id))
    error_message = "The registry's account has 12 digits."
  }
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
