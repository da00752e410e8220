# The key's policy grants the roles its use, so that their own policies are known before the key's ID is.

module "key" {
  source               = "../modules/key"
  alias                = local.prefix
  deletion_window_days = var.key.deletion_window_days

  policy = templatefile("${local.policies}/resources/key.json", merge(local.policy_values, {
    training_role_arn   = module.training_role.arn
    processing_role_arn = module.processing_role.arn
    tuning_role_arn     = module.tuning_role.arn
    endpoint_role_arn   = module.endpoint_role.arn
    ec2_host_role_arn   = module.ec2_host_role.arn
  }))
}
