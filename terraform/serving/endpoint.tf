# The registered model, served.

module "endpoint" {
  source                 = "../modules/endpoint"
  name                   = var.endpoint_name
  model_package_arn      = var.model_package_arn
  execution_role_arn     = local.foundation.endpoint_role_arn
  kms_key_arn            = local.foundation.kms_key_arn
  instance_type          = var.instance_type
  initial_instance_count = var.initial_instance_count
  autoscaling            = var.autoscaling
  deployment             = var.deployment
  log_retention_days     = var.logs.retention_days
}
