# The host that trains, with the role that the foundation stack made for it.

module "training_host" {
  source           = "../modules/training_host"
  name             = "${local.foundation.prefix}-host"
  instance_type    = var.host.instance_type
  instance_profile = local.foundation.ec2_host_instance_profile
  user_data        = var.host.user_data
  image            = var.host.image
  spot             = { enabled = var.host.spot }
  lifetime         = var.host.lifetime
  tags             = { Job = var.host.job, Keep = var.host.keep ? "yes" : "no" }
  instance_connect = { enabled = var.host.instance_connect }

  # EC2 Spot's service-linked role may not use the environment's key.
  root_volume = merge(var.host.root_volume, { kms_key_arn = var.host.spot ? "" : local.foundation.kms_key_arn })

  network = {
    vpc_id             = local.vpc_id
    subnet_id          = local.subnet_id
    security_group_ids = try(local.private.training_security_group_ids, [])
    egress_cidrs       = local.private == null ? ["0.0.0.0/0"] : []
    public_ip          = local.private == null
  }
}
