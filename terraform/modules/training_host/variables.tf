variable "name" {
  description = "Name of the host; the names of its security group and alarm start with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,200}$", var.name)) && !startswith(var.name, "sg-")
    error_message = "The host's name has letters, digits and hyphens, and does not start with sg-: ${var.name}"
  }
}

variable "instance_type" {
  description = "EC2 instance type. Those with a GPU need a quota of vCPUs for their family, which new accounts do not have."
  type        = string
  default     = "t3.medium"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type)) && !startswith(var.instance_type, "ml.")
    error_message = "${var.instance_type} is no EC2 instance type: give one such as t3.medium or g5.xlarge, without SageMaker's ml. in front."
  }

  validation {
    condition     = !can(regex("^(p2|p3|p3dn|g2|g3|g3s|g4ad)\\.", var.instance_type))
    error_message = "The driver of the Deep Learning AMI does not know the GPUs of ${var.instance_type}: choose g4dn, g5, g6, g6e, p4d, p5 or newer."
  }

  validation {
    condition     = !can(regex("^(inf|trn|dl|vt|f|mac)[0-9-]", var.instance_type))
    error_message = "${var.instance_type} has an accelerator that this image's PyTorch cannot use: choose a type with an NVIDIA GPU, such as g5.xlarge, or without any."
  }

  validation {
    condition     = !can(regex("^(t1|t2|m1|m2|m3|c1|c3|cc2|cr1|i2|r3|hs1)\\.", var.instance_type))
    error_message = "${var.instance_type} is of a generation without EBS optimization: choose a newer one, such as t3.medium."
  }
}

variable "image" {
  description = "The Deep Learning AMI (Amazon Linux 2023) by its PyTorch version and the type's architecture; or parameter, an SSM parameter that names another image."
  type = object({
    pytorch_version = optional(string, "2.12")
    parameter       = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+$", var.image.pytorch_version))
    error_message = "pytorch_version is ${var.image.pytorch_version}: give major and minor number, such as 2.12."
  }

  validation {
    condition     = var.image.parameter == "" || startswith(var.image.parameter, "/")
    error_message = "parameter is the name of an SSM parameter, such as /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64, not ${var.image.parameter}."
  }
}

variable "user_data" {
  description = "The program, a script with its #! line, run once as root. It should power the host off when it ends."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.user_data, "#!")
    error_message = "user_data must be a script that starts with #!, such as #!/bin/bash."
  }

  # EC2 takes 16 KiB in all; base64 makes 4 bytes of 3.
  validation {
    condition     = length(base64encode(var.user_data)) <= 15 * 1024 / 3 * 4
    error_message = "user_data is about ${ceil(length(base64encode(var.user_data)) * 3 / 4 / 1024)} KiB: 15 KiB at most, of the 16 that EC2 takes; let the script fetch the rest from S3."
  }
}

variable "instance_profile" {
  description = "Name of the instance profile whose role the program has."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_+=,.@-]{1,128}$", var.instance_profile))
    error_message = "instance_profile is a name of 1 to 128 letters, digits and _+=,.@-, not an ARN: ${var.instance_profile}"
  }
}

variable "network" {
  description = "Where the host runs, and where its TLS may go: address ranges, prefix lists of gateway endpoints. security_group_ids: further groups, such as one that interface endpoints know. public_ip: for a subnet without another way to AWS's services."
  type = object({
    vpc_id                 = string
    subnet_id              = string
    security_group_ids     = optional(list(string), [])
    egress_cidrs           = optional(list(string), ["0.0.0.0/0"])
    egress_prefix_list_ids = optional(list(string), [])
    public_ip              = optional(bool, false)
  })
  nullable = false

  validation {
    condition     = alltrue([for cidr in var.network.egress_cidrs : can(cidrhost(cidr, 0))])
    error_message = "egress_cidrs are address ranges such as 10.40.0.0/20: ${join(", ", var.network.egress_cidrs)}"
  }

  validation {
    condition     = length(var.network.egress_cidrs) + length(var.network.egress_prefix_list_ids) + length(var.network.security_group_ids) > 0
    error_message = "The host must reach S3 and CloudWatch Logs: give egress_cidrs, egress_prefix_list_ids, or security_group_ids that have rules."
  }
}

variable "root_volume" {
  description = "Encrypted gp3 volume; kms_key_arn empty: with the account's own EBS key."
  type = object({
    size_gb         = optional(number, 60)
    throughput_mbps = optional(number, 125)
    iops            = optional(number, 3000)
    kms_key_arn     = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.root_volume.size_gb >= 45 && var.root_volume.size_gb <= 16384 && floor(var.root_volume.size_gb) == var.root_volume.size_gb
    error_message = "size_gb is ${var.root_volume.size_gb}: 45 at least, as the Deep Learning AMI is that large, and 16384 at most."
  }

  validation {
    condition     = var.root_volume.iops >= 3000 && var.root_volume.iops <= 16000
    error_message = "iops is ${var.root_volume.iops}: gp3 has 3000 to 16000."
  }

  validation {
    condition     = var.root_volume.throughput_mbps >= 125 && var.root_volume.throughput_mbps <= min(1000, var.root_volume.iops / 4)
    error_message = "throughput_mbps is ${var.root_volume.throughput_mbps}: gp3 has 125 to 1000, and a quarter of its iops (${var.root_volume.iops}) at most."
  }
}

variable "tags" {
  description = "Further tags of the instance, which has them from its first moment: what it is for."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "metadata_hop_limit" {
  description = "Network hops that answers of the metadata service survive: 1 for programs of the host, 2 for its containers."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains([1, 2], var.metadata_hop_limit)
    error_message = "metadata_hop_limit is ${var.metadata_hop_limit}: 1, or 2 if the program runs in a container."
  }
}

variable "spot" {
  description = "Whether to take spare capacity, which EC2 may reclaim after two minutes' notice; max_price in USD an hour, empty: up to the on-demand price."
  type = object({
    enabled   = optional(bool, false)
    max_price = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.spot.max_price == "" || try(tonumber(var.spot.max_price) > 0, false)
    error_message = "max_price is ${var.spot.max_price}: give USD an hour such as 0.05, or nothing."
  }
}

variable "lifetime" {
  description = "When the host ends if its program does not end it: after max_minutes, by itself; after idle_minutes (0: never) with less than idle_cpu_percent of its processors in use, by an alarm that terminates or stops it, and tells notify_topic_arns."
  type = object({
    max_minutes       = optional(number, 720)
    idle_minutes      = optional(number, 30)
    idle_cpu_percent  = optional(number, 3)
    on_idle           = optional(string, "terminate")
    notify_topic_arns = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.lifetime.max_minutes >= 1 && var.lifetime.max_minutes <= 10080 && floor(var.lifetime.max_minutes) == var.lifetime.max_minutes
    error_message = "max_minutes is ${var.lifetime.max_minutes}: 1 to 10080, a week."
  }

  validation {
    condition     = var.lifetime.idle_minutes >= 0 && var.lifetime.idle_minutes <= 1440 && var.lifetime.idle_minutes % 5 == 0
    error_message = "idle_minutes is ${var.lifetime.idle_minutes}: a multiple of 5 up to 1440, a day; 0 for no alarm."
  }

  validation {
    condition     = var.lifetime.idle_cpu_percent > 0 && var.lifetime.idle_cpu_percent < 100
    error_message = "idle_cpu_percent is ${var.lifetime.idle_cpu_percent}: more than 0 and less than 100."
  }

  validation {
    condition     = contains(["terminate", "stop"], var.lifetime.on_idle)
    error_message = "on_idle is ${var.lifetime.on_idle}: terminate, or stop to keep the volume."
  }

  validation {
    condition     = !(var.spot.enabled && var.lifetime.on_idle == "stop")
    error_message = "A one-time Spot Instance cannot be stopped: set on_idle to terminate."
  }
}

variable "instance_connect" {
  description = "Whether to make an EC2 Instance Connect Endpoint in the subnet: a shell where the host reaches no Session Manager. It costs nothing, takes minutes to make, and a VPC has one by default."
  type = object({
    enabled = optional(bool, false)
  })
  default  = {}
  nullable = false
}
