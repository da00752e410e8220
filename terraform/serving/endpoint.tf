# The registered model, served.

locals {
  network = try(local.foundation.network, null)
}

module "endpoint" {
  source             = "../modules/endpoint"
  name               = var.endpoint_name
  model_package_arn  = var.model_package_arn
  execution_role_arn = local.foundation.endpoint_role_arn
  kms_key_arn        = local.foundation.kms_key_arn
  bucket             = local.foundation.bucket
  hosting            = var.hosting
  variants           = var.variants
  data_capture       = var.data_capture
  autoscaling        = var.autoscaling
  deployment = merge(var.deployment, {
    rollback_alarm_names = distinct(concat(module.observability.rollback_alarm_names, var.deployment.rollback_alarm_names))
  })
  deployed           = var.deployed
  log_retention_days = var.logs.retention_days

  network = local.network == null ? {} : {
    subnet_ids         = local.network.subnet_ids
    security_group_ids = local.network.serving_security_group_ids
  }
}

# What serves, what served before: read by the next deployment, before the hand-over tells of this one's success.
resource "aws_ssm_parameter" "generations" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/generations/${var.endpoint_name}"
  description = "Configurations of ${var.endpoint_name} that are kept, newest first, as JSON"
  type        = "String" # names and ARNs, no secret
  tier        = "Intelligent-Tiering"
  value       = jsonencode(module.endpoint.generations)
}
