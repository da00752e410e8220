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
  description = "Days between the order to delete the key and its deletion, in which it can be saved."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "KMS waits between 7 and 30 days before it deletes a key."
  }
}
