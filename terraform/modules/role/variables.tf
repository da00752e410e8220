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
  description = "Description of the role: who uses it, and for what."
  type        = string
  nullable    = false
}

variable "trust_policy" {
  description = "Trust policy, a JSON document: who may assume the role."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.trust_policy).Statement)
    error_message = "The trust policy must be a JSON document with a Statement."
  }
}

variable "policy" {
  description = "Policy, a JSON document: what the role may do."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "The role's policy must be a JSON document with a Statement."
  }
}

variable "further_policies" {
  description = "Further policies, JSON documents by name, for permissions that only some environments need."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for policy in values(var.further_policies) : can(jsondecode(policy).Statement)])
    error_message = "Every further policy must be a JSON document with a Statement: ${join(", ", keys(var.further_policies))}"
  }
}

variable "path" {
  description = "IAM path of the role, which policies can refer to."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([a-z0-9-]+/)*$", var.path))
    error_message = "A path begins and ends with /, such as /access/."
  }
}

variable "boundary_arn" {
  description = "ARN of the permissions boundary; empty: none."
  type        = string
  default     = ""
  nullable    = false
}

variable "managed_policy_arns" {
  description = "ARNs of managed policies to attach, by a name for each."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.managed_policy_arns) <= 10
    error_message = "IAM attaches at most 10 managed policies to a role, not ${length(var.managed_policy_arns)}."
  }
}
