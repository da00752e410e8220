# One real-time endpoint of one registered model, and its logs.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  variant_name = "AllTraffic"

  # Types with local NVMe disks encrypt these in hardware, and SageMaker refuses a key for them.
  has_nvme    = can(regex("^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl[12]q?|g5|g6e?|gr6|p5[a-z]*|p6-[a-z0-9]+|trn[12][a-z]*)\\.", var.instance_type))
  kms_key_arn = local.has_nvme ? null : var.kms_key_arn

  # Models and configurations are immutable, so their names carry a hash of what they hold.
  model = {
    model_package_name       = var.model_package_arn
    execution_role_arn       = var.execution_role_arn
    enable_network_isolation = true
  }
  model_name = "${var.name}-${substr(sha256(jsonencode(local.model)), 0, 8)}"

  configuration = {
    model_name             = local.model_name
    instance_type          = var.instance_type
    initial_instance_count = var.initial_instance_count
    kms_key_arn            = local.kms_key_arn
  }
  configuration_name = "${var.name}-${substr(sha256(jsonencode(local.configuration)), 0, 8)}"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/sagemaker/Endpoints/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sagemaker_model" "this" {
  name                     = local.model_name
  execution_role_arn       = local.model.execution_role_arn
  enable_network_isolation = local.model.enable_network_isolation

  primary_container {
    model_package_name = local.model.model_package_name
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  name        = local.configuration_name
  kms_key_arn = local.configuration.kms_key_arn

  production_variants {
    variant_name           = local.variant_name
    model_name             = aws_sagemaker_model.this.name
    instance_type          = local.configuration.instance_type
    initial_instance_count = local.configuration.initial_instance_count
    initial_variant_weight = 1
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Its name is fixed: an update, never a replacement, follows every new configuration.
resource "aws_sagemaker_endpoint" "this" {
  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this.name

  deployment_config {
    blue_green_update_policy {
      termination_wait_in_seconds = var.deployment.termination_wait_seconds

      traffic_routing_configuration {
        type                     = "ALL_AT_ONCE"
        wait_interval_in_seconds = var.deployment.wait_seconds
      }
    }

    dynamic "auto_rollback_configuration" {
      for_each = length(var.deployment.rollback_alarm_names) > 0 ? [var.deployment.rollback_alarm_names] : []

      content {
        dynamic "alarms" {
          for_each = toset(auto_rollback_configuration.value)

          content {
            alarm_name = alarms.value
          }
        }
      }
    }
  }

  depends_on = [
    aws_cloudwatch_log_group.this, # its containers write there as soon as they start
    terraform_data.scalable_instance_type,
  ]
}
