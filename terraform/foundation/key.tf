# The key grants its use to the roles: their own policies can then be known before the key's id is.

module "key" {
  source               = "../modules/key"
  alias                = local.prefix
  deletion_window_days = var.key.deletion_window_days

  policy = templatefile("${local.policies}/resources/key.json", merge(local.policy_values, {
    training_role_arn = module.training_role.arn
    tuning_role_arn   = module.tuning_role.arn
    endpoint_role_arn = module.endpoint_role.arn
    ec2_host_role_arn = module.ec2_host_role.arn
  }))
}
