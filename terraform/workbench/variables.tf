variable "project" {
  description = "Name of the project, as in the foundation stack."
  type        = string
  default     = "image-classifier"
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
  description = "ARN of the policy that bounds every role, as stack access makes it; empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "host" {
  description = "An EC2 host that runs user_data, a script, once: its type, volume, image, Spot, lifetime, and whether a shell may come through an Instance Connect Endpoint; job, what it is for, and keep, whether it stays then, are tags of it; zone counts through the Availability Zones that have the type."
  type = object({
    enabled          = optional(bool, false)
    job              = optional(string, "")
    keep             = optional(bool, false)
    zone             = optional(number, 0)
    instance_type    = optional(string, "t3.medium")
    user_data        = optional(string, "#!/bin/bash\nshutdown -P now\n")
    spot             = optional(bool, false)
    instance_connect = optional(bool, false)
    image = optional(object({
      pytorch_version = optional(string, "2.12")
      parameter       = optional(string, "")
    }), {})
    root_volume = optional(object({
      size_gb         = optional(number, 60)
      throughput_mbps = optional(number, 125)
      iops            = optional(number, 3000)
    }), {})
    lifetime = optional(object({
      max_minutes      = optional(number, 720)
      idle_minutes     = optional(number, 30)
      idle_cpu_percent = optional(number, 3)
      on_idle          = optional(string, "terminate")
    }), {})
  })
  default  = {}
  nullable = false
}

variable "workbench" {
  description = "A place to work in notebooks: kind studio or notebook, its size, and what is unpacked in it."
  type = object({
    enabled         = optional(bool, false)
    kind            = optional(string, "studio")
    instance_type   = optional(string, "ml.t3.medium")
    volume_size_gb  = optional(number, 20)
    idle_minutes    = optional(number, 60)
    internet_access = optional(bool, false)
    repository_uri  = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.workbench.internet_access || !var.workbench.enabled || try(jsondecode(data.aws_ssm_parameter.foundation.insecure_value).network, null) != null
    error_message = "Without internet_access, the workbench needs the foundation's private network to reach AWS's services: make it, by network.enabled of stack foundation, or ask for internet_access."
  }
}

variable "tags" {
  description = "Tags of everything, beside Project, Environment, Stack and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for value in values(var.tags) : can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,256}$", value))])
    error_message = "A tag's value has 1 to 256 letters, digits, spaces and _.:/=+@-."
  }
}
