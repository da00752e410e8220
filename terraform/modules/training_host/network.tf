# No inbound rule; outbound TLS to the given destinations. A shell goes through Session Manager, which the host connects to,
# or through an Instance Connect Endpoint.

resource "aws_security_group" "host" {
  name        = var.name
  description = "Training host ${var.name}: nothing comes in"
  vpc_id      = var.network.vpc_id

  tags = {
    Name = var.name
  }
}

resource "aws_vpc_security_group_egress_rule" "addresses" {
  for_each          = toset(var.network.egress_cidrs)
  security_group_id = aws_security_group.host.id
  description       = "TLS to ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "prefix_lists" {
  for_each          = toset(var.network.egress_prefix_list_ids)
  security_group_id = aws_security_group.host.id
  description       = "TLS to a gateway endpoint"
  prefix_list_id    = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# ---- EC2 Instance Connect Endpoint ----

resource "aws_security_group" "connect" {
  count       = var.instance_connect.enabled ? 1 : 0
  name        = "${var.name}-connect"
  description = "Instance Connect Endpoint of ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = {
    Name = "${var.name}-connect"
  }
}

resource "aws_vpc_security_group_egress_rule" "connect" {
  count                        = var.instance_connect.enabled ? 1 : 0
  security_group_id            = aws_security_group.connect[0].id
  description                  = "SSH to the host"
  referenced_security_group_id = aws_security_group.host.id
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

# The only way in, for principals that may call ec2-instance-connect:OpenTunnel. Keys are valid for a minute.
resource "aws_vpc_security_group_ingress_rule" "connect" {
  #checkov:skip=CKV_AWS_24:only from the endpoint's security group, not from an address range
  count                        = var.instance_connect.enabled ? 1 : 0
  security_group_id            = aws_security_group.host.id
  description                  = "SSH from the Instance Connect Endpoint"
  referenced_security_group_id = aws_security_group.connect[0].id
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_ec2_instance_connect_endpoint" "this" {
  count              = var.instance_connect.enabled ? 1 : 0
  subnet_id          = var.network.subnet_id
  security_group_ids = [aws_security_group.connect[0].id]
  preserve_client_ip = false

  tags = {
    Name = var.name
  }
}
