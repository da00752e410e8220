# The foundation's private network, or without one the account's default VPC, whose subnets lead to the internet.

locals {
  private = try(local.foundation.network, null)
  public  = local.private == null && (var.host.enabled || var.workbench.enabled)

  vpc_id     = local.public ? data.aws_vpc.default[0].id : try(local.private.vpc_id, "")
  subnet_ids = local.public ? sort(data.aws_subnets.default[0].ids) : try(local.private.subnet_ids, [])
}

data "aws_vpc" "default" {
  count   = local.public ? 1 : 0
  default = true
}

data "aws_subnets" "default" {
  count = local.public ? 1 : 0

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default[0].id]
  }

  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

# ---- the host's subnet: in a zone that has its instance type ----

data "aws_ec2_instance_type_offerings" "host" {
  count         = var.host.enabled ? 1 : 0
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [var.host.instance_type]
  }
}

data "aws_subnets" "host" {
  count = var.host.enabled ? 1 : 0

  filter {
    name   = "subnet-id"
    values = local.subnet_ids
  }

  filter {
    name   = "availability-zone"
    values = data.aws_ec2_instance_type_offerings.host[0].locations
  }

  lifecycle {
    postcondition {
      condition     = length(self.ids) > 0
      error_message = "No subnet for the host is in an Availability Zone that has ${var.host.instance_type}, which are ${join(", ", sort(data.aws_ec2_instance_type_offerings.host[0].locations))}: choose another type, or other zones for the network."
    }
  }
}
