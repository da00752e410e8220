variable "name" {
  description = "Name of the topic; the names of its rules start with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,48}$", var.name))
    error_message = "The topic's name has 1 to 48 letters, digits, hyphens and underscores: a rule's has 64 at most."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts messages; its policy must let CloudWatch, EventBridge and Budgets use it."
  type        = string
  nullable    = false
}

variable "policy" {
  description = "Topic policy, a JSON document: which services may publish."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "The topic policy must be a JSON document with a Statement."
  }
}

variable "job_name_prefix" {
  description = "Prefix of the names of the training and tuning jobs whose failures are reported."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.job_name_prefix) > 0
    error_message = "job_name_prefix must not be empty: it would report the failures of every job in the account."
  }
}

variable "emails" {
  description = "Email addresses that get the messages, once each has confirmed."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "An address looks like team@example.com."
  }
}
