variable "name" {
  description = "Name of the role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_+=,.@-]{1,64}$", var.name))
    error_message = "A role name has 1 to 64 letters, digits and _+=,.@-."
  }
}

variable "description" {
  description = "Who uses the role, and for what."
  type        = string
  nullable    = false
}

variable "trust_policy" {
  description = "Who may assume the role, a JSON document."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.trust_policy).Statement)
    error_message = "The trust policy must be a JSON document with a Statement."
  }
}

variable "policy" {
  description = "What the role may do, a JSON document."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "The role's policy must be a JSON document with a Statement."
  }
}
