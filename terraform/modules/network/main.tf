# A VPC that reaches only AWS's services: private subnets, no internet gateway, no NAT.

data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:the first zone_count zones by name; availability_zones pins them
  count = length(var.availability_zones) == 0 ? 1 : 0
  state = "available"

  # Excludes Local and Wavelength Zones, which have no SageMaker instances.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  offered = length(var.availability_zones) > 0 ? var.availability_zones : sort(data.aws_availability_zones.available[0].names)
  zones   = slice(local.offered, 0, min(var.zone_count, length(local.offered)))

  # Eight ranges, though fewer are used: adding a zone moves no subnet.
  cidrs = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 3, index) }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # for the services' public names, which the interface endpoints take over

  tags = {
    Name = var.name
  }

  lifecycle {
    precondition {
      condition     = length(local.zones) == var.zone_count
      error_message = "zone_count is ${var.zone_count}, but there are ${length(local.offered)} Availability Zones (${join(", ", local.offered)}). Lower zone_count, or add zones to availability_zones."
    }
  }
}

# Closes the default group, so that a resource created without a group reaches nothing.
resource "aws_default_security_group" "this" {
  vpc_id  = aws_vpc.this.id
  ingress = []
  egress  = []

  tags = {
    Name = "${var.name}-default-closed"
  }
}

resource "aws_subnet" "private" {
  for_each                = local.cidrs
  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false

  tags = {
    Name = "${var.name}-private-${each.key}"
  }

  # SageMaker's network interfaces stay in a subnet for minutes after their job or endpoint is gone.
  timeouts {
    delete = "30m"
  }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = {
    Name = "${var.name}-private"
  }
}

resource "aws_route_table_association" "private" {
  for_each       = aws_subnet.private
  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}
