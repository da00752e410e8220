# The foundation's private network, else the account's default VPC.

locals {
  private = local.foundation.network # null: no private network
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
