# Containers reach the VPC endpoints by TLS. The instances of a training job also reach each other.

resource "aws_security_group" "training" {
  #checkov:skip=CKV2_AWS_5:SageMaker attaches it to the interfaces of training jobs
  name        = "${var.name}-training"
  description = "Instances of training jobs"
  vpc_id      = aws_vpc.this.id

  tags = {
    Name = "${var.name}-training"
  }

  timeouts {
    delete = "30m" # as for the subnets
  }
}

resource "aws_security_group" "serving" {
  #checkov:skip=CKV2_AWS_5:SageMaker attaches it to the interfaces of endpoints
  name        = "${var.name}-serving"
  description = "Instances of SageMaker endpoints"
  vpc_id      = aws_vpc.this.id

  tags = {
    Name = "${var.name}-serving"
  }

  timeouts {
    delete = "30m"
  }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interfaces of the VPC endpoints"
  vpc_id      = aws_vpc.this.id

  tags = {
    Name = "${var.name}-endpoints"
  }
}

locals {
  containers = {
    training = aws_security_group.training.id
    serving  = aws_security_group.serving.id
  }
}

# All protocols: gloo and NCCL choose their ports, and encrypted traffic is IPsec (ESP and UDP 500).
resource "aws_vpc_security_group_ingress_rule" "training_peers" {
  security_group_id            = aws_security_group.training.id
  description                  = "From the other instances of the job"
  referenced_security_group_id = aws_security_group.training.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "training_peers" {
  security_group_id            = aws_security_group.training.id
  description                  = "To the other instances of the job"
  referenced_security_group_id = aws_security_group.training.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each          = local.containers
  security_group_id = each.value
  description       = "To S3, through its gateway endpoint"
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each                     = local.containers
  security_group_id            = each.value
  description                  = "To the interface endpoints"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each                     = local.containers
  security_group_id            = aws_security_group.endpoints.id
  description                  = "From ${each.key} instances"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
