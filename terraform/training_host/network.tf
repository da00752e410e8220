# The host's subnet: in the foundation's private network, else in the account's default VPC, and in an Availability Zone
# that offers the instance type.

locals {
  private    = local.foundation.network # null: no private network
  vpc_id     = try(local.private.vpc_id, one(data.aws_vpc.default[*].id))
  subnet_ids = try(local.private.subnet_ids, sort(flatten(data.aws_subnets.default[*].ids)))

  # Destroying takes no instance type, so the default one may be in no zone: an empty id then, not an error.
  subnet_id = try(element(sort(data.aws_subnets.host.ids), var.host.zone), "")
}

data "aws_vpc" "default" {
  count   = local.private == null ? 1 : 0
  default = true
}

data "aws_subnets" "default" {
  count = local.private == null ? 1 : 0

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default[0].id]
  }

  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

data "aws_ec2_instance_type_offerings" "host" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [module.training_host.instance_type]
  }
}

data "aws_subnets" "host" {
  filter {
    name   = "subnet-id"
    values = local.subnet_ids
  }

  filter {
    name   = "availability-zone"
    values = data.aws_ec2_instance_type_offerings.host.locations
  }

  lifecycle {
    postcondition {
      condition     = length(self.ids) > 0
      error_message = "No subnet is in an Availability Zone that offers ${module.training_host.instance_type} (${join(", ", sort(data.aws_ec2_instance_type_offerings.host.locations))}). Choose another instance type, or other Availability Zones for the network."
    }
  }
}
