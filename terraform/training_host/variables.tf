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

variable "host" {
  description = <<-EOT
    The host and the script it runs. Not needed to destroy it.

    job: Name of the training job; a tag of the instance.
    keep: Whether the host keeps running after the job; a tag of the instance.
    zone: Index into the Availability Zones that offer the instance type, counted around.
    instance_type: EC2 instance type; the module's default if left out.
    user_data: Script that trains and powers the host off.
    spot: Whether to use spare capacity, which EC2 may reclaim.
    instance_connect: Whether to make an EC2 Instance Connect Endpoint.
    image: The machine image, as the module takes it.
    root_volume: The root volume, as the module takes it, without its key.
    lifetime: When the host ends by itself, as the module takes it.
  EOT
  type = object({
    job              = optional(string, "")
    keep             = optional(bool, false)
    zone             = optional(number, 0)
    instance_type    = optional(string)
    user_data        = optional(string, "#!/bin/bash\nshutdown -P now\n")
    spot             = optional(bool, false)
    instance_connect = optional(bool)
    image            = optional(any)
    root_volume      = optional(any)
    lifetime         = optional(any)
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
