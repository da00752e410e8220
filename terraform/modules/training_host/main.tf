# One EC2 host that trains once and then ends. Its script powers it off; a timer and an alarm do if the script fails.

data "aws_partition" "current" {}

data "aws_region" "current" {}

# The image has PyTorch at /opt/pytorch. A newer image applies to the next host: it never replaces one that trains.
data "aws_ssm_parameter" "image" {
  name = local.image_parameter
}

locals {
  family = split(".", var.instance_type)[0]

  # Graviton types have a g after the generation (t4g, c7gn, g5g); p6e-gb200 has a Grace CPU.
  architecture = can(regex("^([a-z]+[0-9]+g|p6e-gb)", local.family)) ? "arm64" : "x86_64"
  accelerated  = can(regex("^(g|gr|p)[0-9]", local.family))

  # AWS has no PyTorch image for CPUs only: without a GPU the driver is unused and PyTorch computes on the CPU.
  image_parameter = coalesce(
    var.image.parameter,
    "/aws/service/deeplearning/ami/${local.architecture}/oss-nvidia-driver-gpu-pytorch-${var.image.pytorch_version}-amazon-linux-2023/latest/ami-id",
  )

  # cloud-init runs the parts in the order of their file names.
  user_data = templatefile("${path.module}/user_data.mime", {
    minutes = var.lifetime.max_minutes
    program = var.user_data
  })
}

resource "aws_instance" "this" {
  #checkov:skip=CKV_AWS_88:a public address on request only, for a subnet without another route to AWS's services; no inbound rule
  ami                                  = data.aws_ssm_parameter.image.insecure_value
  instance_type                        = var.instance_type
  iam_instance_profile                 = var.instance_profile
  subnet_id                            = var.network.subnet_id
  vpc_security_group_ids               = concat([aws_security_group.host.id], var.network.security_group_ids)
  associate_public_ip_address          = var.network.public_ip
  instance_initiated_shutdown_behavior = "terminate"
  ebs_optimized                        = true
  monitoring                           = true # CPU metrics every minute, for the idle alarm
  user_data                            = local.user_data
  user_data_replace_on_change          = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required" # IMDSv2
    http_put_response_hop_limit = var.metadata_hop_limit
    instance_metadata_tags      = "enabled"
  }

  root_block_device {
    encrypted             = true
    kms_key_id            = var.root_volume.kms_key_arn == "" ? null : var.root_volume.kms_key_arn
    volume_type           = "gp3"
    volume_size           = var.root_volume.size_gb
    throughput            = var.root_volume.throughput_mbps
    iops                  = var.root_volume.iops
    delete_on_termination = true
  }

  # A one-time request: EC2 does not restart an interrupted host. Its checkpoint is in S3.
  dynamic "instance_market_options" {
    for_each = var.spot.enabled ? [var.spot] : []

    content {
      market_type = "spot"

      spot_options {
        spot_instance_type             = "one-time"
        instance_interruption_behavior = "terminate"
        max_price                      = instance_market_options.value.max_price == "" ? null : instance_market_options.value.max_price
      }
    }
  }

  tags = merge(var.tags, {
    Name = var.name
  })

  lifecycle {
    ignore_changes = [ami]
  }

  # The script needs the network as soon as the host boots.
  depends_on = [aws_vpc_security_group_egress_rule.addresses, aws_vpc_security_group_egress_rule.prefix_lists]
}
