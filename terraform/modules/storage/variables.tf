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
  description = "Whether Terraform may delete the bucket with its objects and all their versions."
  type        = bool
  default     = false
  nullable    = false
}

variable "expiry" {
  description = <<-EOT
    Lifecycle rules.

    enabled: Whether objects expire at all.
    noncurrent_version_days: Days after which a replaced or deleted version is removed.
    checkpoint_days: Days after which a training checkpoint is removed.
    feature_days: Days after which the features of a frozen backbone are removed; a later search computes them again.
    incomplete_upload_days: Days after which an unfinished multipart upload is removed.
  EOT
  type = object({
    enabled                 = optional(bool, true)
    noncurrent_version_days = optional(number, 30)
    checkpoint_days         = optional(number, 14)
    feature_days            = optional(number, 30)
    incomplete_upload_days  = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for days in [
        var.expiry.noncurrent_version_days,
        var.expiry.checkpoint_days,
        var.expiry.feature_days,
        var.expiry.incomplete_upload_days,
      ] : days >= 1 && floor(days) == days
    ])
    error_message = "The days of expiry must be whole numbers, 1 or more."
  }
}
