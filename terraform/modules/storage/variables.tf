variable "bucket" {
  description = "Name of the bucket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket name has 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts every object."
  type        = string
  nullable    = false
}

variable "policy" {
  description = "Bucket policy, a JSON document."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "The bucket policy must be a JSON document with a Statement."
  }
}

variable "force_destroy" {
  description = "Whether destroying the bucket may delete the objects in it, all versions included."
  type        = bool
  default     = false
  nullable    = false
}

variable "expiry" {
  description = "Days after which old versions, checkpoints and unfinished uploads go; enabled = false keeps all."
  type = object({
    enabled                 = optional(bool, true)
    noncurrent_version_days = optional(number, 30)
    checkpoint_days         = optional(number, 14)
    incomplete_upload_days  = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for days in [
        var.expiry.noncurrent_version_days, var.expiry.checkpoint_days, var.expiry.incomplete_upload_days
      ] : days >= 1 && floor(days) == days
    ])
    error_message = "S3 expires after whole days, at least 1."
  }
}
