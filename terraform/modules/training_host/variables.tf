variable "name" {
  description = "Name of the host; the names of its security groups and alarm start with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,200}$", var.name)) && !startswith(var.name, "sg-")
    error_message = "name is ${var.name}: use letters, digits and hyphens, and do not start with sg-."
  }
}

variable "instance_type" {
  description = "EC2 instance type. Types with a GPU need a vCPU quota of their family, which is 0 in a new account."
  type        = string
  default     = "t3.medium"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type)) && !startswith(var.instance_type, "ml.")
    error_message = "instance_type is ${var.instance_type}: give an EC2 instance type such as t3.medium or g5.xlarge, without SageMaker's ml. prefix."
  }

  validation {
    condition     = !can(regex("^(p2|p3|p3dn|g2|g3|g3s|g4ad)\\.", var.instance_type))
    error_message = "The driver of the Deep Learning AMI does not support the GPUs of ${var.instance_type}: choose g4dn, g5, g6, g6e, p4d, p5 or newer."
  }

  validation {
    condition     = !can(regex("^(inf|trn|dl|vt|f|mac)[0-9-]", var.instance_type))
    error_message = "${var.instance_type} has an accelerator that PyTorch in this image cannot use: choose a type with an NVIDIA GPU, such as g5.xlarge, or without an accelerator."
  }

  validation {
    condition     = !can(regex("^(t1|t2|m1|m2|m3|c1|c3|cc2|cr1|i2|r3|hs1)\\.", var.instance_type))
    error_message = "${var.instance_type} belongs to a generation without EBS optimization: choose a newer type, such as t3.medium."
  }
}

variable "image" {
  description = <<-EOT
    The machine image: by default the newest Deep Learning AMI (Amazon Linux 2023) for the instance type's architecture.

    pytorch_version: PyTorch version of the Deep Learning AMI.
    parameter: SSM parameter that holds the ID of another image; empty: the Deep Learning AMI.
  EOT
  type = object({
    pytorch_version = optional(string, "2.12")
    parameter       = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+$", var.image.pytorch_version))
    error_message = "image.pytorch_version is ${var.image.pytorch_version}: give major and minor version, such as 2.12."
  }

  validation {
    condition     = var.image.parameter == "" || startswith(var.image.parameter, "/")
    error_message = "image.parameter is ${var.image.parameter}: give the name of an SSM parameter, such as /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64."
  }
}

variable "user_data" {
  description = "Script with its #! line, run once as root. It should power the host off when it ends."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.user_data, "#!")
    error_message = "user_data must be a script that starts with #!, such as #!/bin/bash."
  }

  # EC2 takes 16 KiB in all, user_data.mime included. base64 turns 3 bytes into 4.
  validation {
    condition     = length(base64encode(var.user_data)) <= 15 * 1024 / 3 * 4
    error_message = "user_data is about ${ceil(length(base64encode(var.user_data)) * 3 / 4 / 1024)} KiB: at most 15 KiB fit into EC2's 16 KiB. Let the script fetch the rest from S3."
  }
}

variable "instance_profile" {
  description = "Name of the instance profile with the script's role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_+=,.@-]{1,128}$", var.instance_profile))
    error_message = "instance_profile is ${var.instance_profile}: give its name, not its ARN: 1 to 128 letters, digits and _+=,.@-."
  }
}

variable "network" {
  description = <<-EOT
    Where the host runs, and where it may open TLS connections to.

    vpc_id: ID of the VPC.
    subnet_id: ID of the subnet.
    security_group_ids: Further security groups, such as one that interface endpoints accept.
    egress_cidrs: IPv4 ranges that the host may reach.
    egress_prefix_list_ids: Prefix lists of gateway endpoints that the host may reach.
    public_ip: Whether the host gets a public address, for a subnet without another route to AWS's services.
  EOT
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
    error_message = "network.egress_cidrs takes ranges such as 10.40.0.0/20, not ${join(", ", var.network.egress_cidrs)}"
  }

  validation {
    condition     = length(var.network.egress_cidrs) + length(var.network.egress_prefix_list_ids) + length(var.network.security_group_ids) > 0
    error_message = "The host must reach S3 and CloudWatch Logs: set network.egress_cidrs, network.egress_prefix_list_ids, or network.security_group_ids with egress rules."
  }
}

variable "root_volume" {
  description = <<-EOT
    The encrypted gp3 root volume.

    size_gb: Size in GiB. The Deep Learning AMI needs 45.
    throughput_mbps: Throughput in MiB/s.
    iops: I/O operations per second.
    kms_key_arn: ARN of the key; empty: the account's AWS managed key for EBS.
  EOT
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
    error_message = "root_volume.size_gb is ${var.root_volume.size_gb}: give 45, the size of the Deep Learning AMI, to 16384."
  }

  validation {
    condition     = var.root_volume.iops >= 3000 && var.root_volume.iops <= 16000
    error_message = "root_volume.iops is ${var.root_volume.iops}: gp3 takes 3000 to 16000."
  }

  validation {
    condition     = var.root_volume.throughput_mbps >= 125 && var.root_volume.throughput_mbps <= min(1000, var.root_volume.iops / 4)
    error_message = "root_volume.throughput_mbps is ${var.root_volume.throughput_mbps}: gp3 takes 125 to 1000, and at most a quarter of its iops (${var.root_volume.iops})."
  }
}

variable "tags" {
  description = "Further tags of the instance, set when it is launched."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "metadata_hop_limit" {
  description = "Network hops that a response of the metadata service may take: 1 for programs on the host, 2 for containers on it."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains([1, 2], var.metadata_hop_limit)
    error_message = "metadata_hop_limit is ${var.metadata_hop_limit}: give 1, or 2 if the script starts containers that need the metadata service."
  }
}

variable "spot" {
  description = <<-EOT
    Spot capacity, which EC2 can reclaim with two minutes' notice.

    enabled: Whether to request Spot capacity.
    max_price: Highest price in USD an hour; empty: the on-demand price.
  EOT
  type = object({
    enabled   = optional(bool, false)
    max_price = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.spot.max_price == "" || try(tonumber(var.spot.max_price) > 0, false)
    error_message = "spot.max_price is ${var.spot.max_price}: give USD an hour, such as 0.05, or leave it empty."
  }
}

variable "lifetime" {
  description = <<-EOT
    When the host ends if its script does not end it.

    max_minutes: Minutes after which the host powers itself off.
    idle_minutes: Minutes with an idle CPU after which an alarm ends the host; 0: no alarm.
    idle_cpu_percent: CPU utilization in percent below which the host counts as idle.
    on_idle: What the alarm does: terminate or stop.
    notify_topic_arns: ARNs of SNS topics that the alarm notifies.
  EOT
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
    error_message = "lifetime.max_minutes is ${var.lifetime.max_minutes}: give 1 to 10080 (a week)."
  }

  validation {
    condition     = var.lifetime.idle_minutes >= 0 && var.lifetime.idle_minutes <= 1440 && var.lifetime.idle_minutes % 5 == 0
    error_message = "lifetime.idle_minutes is ${var.lifetime.idle_minutes}: give a multiple of 5 up to 1440 (a day), or 0 for no alarm."
  }

  validation {
    condition     = var.lifetime.idle_cpu_percent > 0 && var.lifetime.idle_cpu_percent < 100
    error_message = "lifetime.idle_cpu_percent is ${var.lifetime.idle_cpu_percent}: give more than 0 and less than 100."
  }

  validation {
    condition     = contains(["terminate", "stop"], var.lifetime.on_idle)
    error_message = "lifetime.on_idle is ${var.lifetime.on_idle}: give terminate, or stop to keep the volume."
  }

  validation {
    condition     = !(var.spot.enabled && var.lifetime.on_idle == "stop")
    error_message = "EC2 cannot stop a one-time Spot Instance: set lifetime.on_idle to terminate."
  }
}

variable "instance_connect" {
  description = <<-EOT
    An EC2 Instance Connect Endpoint in the subnet, for a shell where Session Manager does not work.

    enabled: Whether to create it. It is free and takes minutes to create; the default quota is one per VPC.
  EOT
  type = object({
    enabled = optional(bool, false)
  })
  default  = {}
  nullable = false
}
