# The endpoint that serves the registered model.

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
    rollback_thresholds = {
      error_percent = try(var.observability.thresholds.endpoint_error_percent, null)
      p99_ms        = try(var.observability.thresholds.endpoint_p99_ms, null)
    }
  })
  deployed           = var.deployed
  log_retention_days = var.logs.retention_days

  network = local.network == null ? {} : {
    subnet_ids         = local.network.subnet_ids
    security_group_ids = local.network.serving_security_group_ids
  }
}

# The next deployment reads it. Written as soon as the endpoint has changed, so that it is there if a later resource fails.
resource "aws_ssm_parameter" "endpoint_history" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/endpoint_history/${var.endpoint_name}"
  description = "Kept configurations of ${var.endpoint_name}, newest first, as JSON"
  type        = "String" # names and ARNs, no secret
  tier        = "Intelligent-Tiering"
  value       = jsonencode(module.endpoint.kept_configurations)
}

# Model versions that have served well, newest first: what a rollback returns to. Only the checks after a deployment know,
# so the pipeline writes the value.
resource "aws_ssm_parameter" "served_models" {
  #checkov:skip=CKV2_AWS_34:ARNs and times, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/served_models/${var.endpoint_name}"
  description = "Model versions that ${var.endpoint_name} has served well, newest first, as JSON"
  type        = "String" # ARNs and times, no secret
  value       = jsonencode({ served = [] })

  lifecycle {
    ignore_changes = [value]
  }
}
