variable "name" {
  description = "Name of the VPC; the names of its parts start with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,200}$", var.name))
    error_message = "The network's name has letters, digits and hyphens: ${var.name}"
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC; each Availability Zone gets an eighth of it."
  type        = string
  default     = "10.40.0.0/20"
  nullable    = false

  validation {
    condition     = try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "cidr is ${var.cidr}: give the first address of a range and a prefix length from 16 to 24, such as 10.40.0.0/20."
  }

  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.cidr))
    error_message = "cidr is ${var.cidr}, which is not private: choose a range in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }
}

variable "availability_zones" {
  description = "Availability Zones to choose from, in order; empty: the region's, by name."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "Availability Zones are named like us-east-1a: ${join(", ", var.availability_zones)}"
  }

  validation {
    condition     = length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones lists a zone twice: ${join(", ", var.availability_zones)}"
  }
}

variable "zone_count" {
  description = "Number of Availability Zones with a subnet. Every interface endpoint bills in each of them."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3, 4, 5, 6], var.zone_count)
    error_message = "zone_count is ${var.zone_count}: choose 2 to 6, so that the loss of one zone stops nothing."
  }
}

variable "s3_endpoint_policy" {
  description = "Policy of the S3 gateway endpoint, a JSON document."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.s3_endpoint_policy).Statement)
    error_message = "The S3 endpoint's policy must be a JSON document with a Statement."
  }
}

variable "interface_endpoint_policies" {
  description = "Policy of each interface endpoint, a JSON document, by the service's name after com.amazonaws.REGION, such as sagemaker.runtime."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for service in keys(var.interface_endpoint_policies) : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)*$", service)) && service != "s3"])
    error_message = "Name services like sagemaker.runtime or ecr.api, without s3, which has its gateway endpoint: ${join(", ", keys(var.interface_endpoint_policies))}"
  }

  validation {
    condition     = alltrue([for policy in values(var.interface_endpoint_policies) : can(jsondecode(policy).Statement)])
    error_message = "Every interface endpoint's policy must be a JSON document with a Statement."
  }
}

variable "flow_logs" {
  description = <<-EOT
    VPC Flow Logs of all traffic, in CloudWatch Logs.

    enabled: Whether to record traffic.
    log_group_name: Name of the log group; required if enabled.
    role_arn: ARN of the role that VPC Flow Logs writes with; required if enabled.
    kms_key_arn: ARN of the key that encrypts the log group; required if enabled.
    retention_days: Days that the log group keeps entries.
  EOT
  type = object({
    enabled        = optional(bool, false)
    log_group_name = optional(string, "")
    role_arn       = optional(string, "")
    kms_key_arn    = optional(string, "")
    retention_days = optional(number, 365)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.flow_logs.enabled || (var.flow_logs.log_group_name != "" && var.flow_logs.role_arn != "")
    error_message = "Flow logs need a log_group_name and a role_arn."
  }

  validation {
    condition     = !var.flow_logs.enabled || var.flow_logs.kms_key_arn != ""
    error_message = "Flow logs need a kms_key_arn: the log group is encrypted."
  }
}
