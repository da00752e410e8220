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

variable "further_policies" {
  description = "What else the role may do in this environment, JSON documents by a name for each."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for policy in values(var.further_policies) : can(jsondecode(policy).Statement)])
    error_message = "Every further policy must be a JSON document with a Statement: ${join(", ", keys(var.further_policies))}"
  }
}

variable "path" {
  description = "Path of the role, as policies may name it; / for none."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([a-z0-9-]+/)*$", var.path))
    error_message = "A path begins and ends with /, such as /access/."
  }
}

variable "boundary_arn" {
  description = "ARN of the policy that bounds what the role can be allowed; empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "managed_policy_arns" {
  description = "ARNs of managed policies that the role has as well, by a name for each."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.managed_policy_arns) <= 10
    error_message = "IAM attaches at most 10 managed policies to a role, not ${length(var.managed_policy_arns)}."
  }
}
