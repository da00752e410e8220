variable "alias" {
  description = "Name of the key's alias, without the alias/ in front."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9/_-]+$", var.alias)) && !startswith(var.alias, "aws/")
    error_message = "A key alias has letters, digits, /, _ and -, and does not start with aws/."
  }
}

variable "policy" {
  description = "Key policy, a JSON document."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "The key policy must be a JSON document with a Statement."
  }
}

variable "deletion_window_days" {
  description = "Days between scheduling the deletion of the key and deleting it; within them the deletion can be cancelled."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days is ${var.deletion_window_days}: KMS takes 7 to 30."
  }
}
