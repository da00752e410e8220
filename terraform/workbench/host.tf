# The training host, with the role that the foundation made for it.

module "training_host" {
  count            = var.host.enabled ? 1 : 0
  source           = "../modules/training_host"
  name             = local.host_name
  instance_type    = var.host.instance_type
  instance_profile = local.foundation.ec2_host_instance_profile
  user_data        = var.host.user_data
  image            = var.host.image
  spot             = { enabled = var.host.spot }
  lifetime         = var.host.lifetime
  tags             = { Job = var.host.job, Keep = var.host.keep ? "yes" : "no" }
  instance_connect = { enabled = var.host.instance_connect }

  # The role of EC2 Spot may not use the environment's key.
  root_volume = merge(var.host.root_volume, { kms_key_arn = var.host.spot ? "" : local.foundation.kms_key_arn })

  # In the private network it is one of the training instances: their group knows the endpoints.
  network = {
    vpc_id             = local.vpc_id
    subnet_id          = element(sort(data.aws_subnets.host[0].ids), var.host.zone)
    security_group_ids = try(local.private.training_security_group_ids, [])
    egress_cidrs       = local.public ? ["0.0.0.0/0"] : []
    public_ip          = local.public
  }
}
