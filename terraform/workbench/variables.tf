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

variable "boundary_arn" {
  description = "ARN of the permissions boundary of every role, made by the access stack; empty: none."
  type        = string
  nullable    = false
}

variable "workbench" {
  description = <<-EOT
    The place to work in notebooks. Not needed to destroy it. For a field left out, the module's default applies.

    kind: studio or notebook.
    instance_type: SageMaker instance type.
    volume_size_gb: Size of the home volume.
    idle_minutes: Minutes without use after which it is stopped.
    internet_access: Whether it reaches the internet; else it needs the foundation's private network.
    repository_uri: S3 URI of the tar.gz that is unpacked at the first start.
  EOT
  type = object({
    kind            = optional(string)
    instance_type   = optional(string)
    volume_size_gb  = optional(number)
    idle_minutes    = optional(number)
    internet_access = optional(bool)
    repository_uri  = optional(string)
  })
  default  = {}
  nullable = false
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
