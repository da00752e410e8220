# One endpoint of registered models, with its models, configurations and log group.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:the retention is the environment's choice; prod keeps a year
  name              = "/aws/sagemaker/Endpoints/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:isolated, except for serverless inference, which does not support isolation; the module's tests check both
  for_each = local.models

  name                     = each.key
  execution_role_arn       = each.value.execution_role_arn
  enable_network_isolation = each.value.network_isolation

  primary_container {
    model_package_name = each.value.model_package_arn
  }

  dynamic "vpc_config" {
    for_each = each.value.network == null ? [] : [each.value.network]

    content {
      subnets            = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  for_each = { for configuration in local.kept_configurations : configuration.key => configuration }

  name        = "${var.name}-${each.key}"
  kms_key_arn = each.value.kms_key_arn

  dynamic "production_variants" {
    for_each = [for variant in each.value.variants : variant if !variant.shadow]

    content {
      variant_name           = production_variants.value.name
      model_name             = aws_sagemaker_model.this[production_variants.value.model_name].name
      instance_type          = production_variants.value.instance_type
      initial_instance_count = production_variants.value.instance_count
      initial_variant_weight = production_variants.value.weight

      dynamic "serverless_config" {
        for_each = production_variants.value.serverless == null ? [] : [production_variants.value.serverless]

        content {
          memory_size_in_mb       = serverless_config.value.memory_mb
          max_concurrency         = serverless_config.value.max_concurrency
          provisioned_concurrency = serverless_config.value.provisioned_concurrency == 0 ? null : serverless_config.value.provisioned_concurrency
        }
      }
    }
  }

  dynamic "shadow_production_variants" {
    for_each = [for variant in each.value.variants : variant if variant.shadow]

    content {
      variant_name           = shadow_production_variants.value.name
      model_name             = aws_sagemaker_model.this[shadow_production_variants.value.model_name].name
      instance_type          = shadow_production_variants.value.instance_type
      initial_instance_count = shadow_production_variants.value.instance_count
      initial_variant_weight = shadow_production_variants.value.weight
    }
  }

  dynamic "data_capture_config" {
    for_each = each.value.data_capture == null ? [] : [each.value.data_capture]

    content {
      enable_capture              = true
      initial_sampling_percentage = data_capture_config.value.sampling_percentage
      destination_s3_uri          = data_capture_config.value.uri
      kms_key_id                  = data_capture_config.value.kms_key_arn

      capture_options {
        capture_mode = "Input"
      }

      capture_options {
        capture_mode = "Output"
      }

      # JSON responses are captured as text, images as base64.
      capture_content_type_header {
        json_content_types = ["application/json"]
      }
    }
  }

  dynamic "async_inference_config" {
    for_each = each.value.asynchronous == null ? [] : [each.value.asynchronous]

    content {
      output_config {
        s3_output_path  = async_inference_config.value.output_uri
        s3_failure_path = async_inference_config.value.failure_uri
        kms_key_id      = async_inference_config.value.kms_key_arn

        dynamic "notification_config" {
          for_each = (
            async_inference_config.value.success_topic_arn == null && async_inference_config.value.error_topic_arn == null
            ? [] : [async_inference_config.value]
          )

          content {
            success_topic = notification_config.value.success_topic_arn
            error_topic   = notification_config.value.error_topic_arn
          }
        }
      }

      dynamic "client_config" {
        for_each = (
          async_inference_config.value.max_concurrent_invocations_per_instance == null
          ? [] : [async_inference_config.value.max_concurrent_invocations_per_instance]
        )

        content {
          max_concurrent_invocations_per_instance = client_config.value
        }
      }
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The endpoint's name is fixed, so a new configuration updates it in place.
resource "aws_sagemaker_endpoint" "this" {
  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[local.current.key].name

  deployment_config {
    dynamic "blue_green_update_policy" {
      for_each = var.deployment.traffic_shifting == "rolling" ? [] : [var.deployment]

      content {
        termination_wait_in_seconds          = blue_green_update_policy.value.termination_wait_seconds
        maximum_execution_timeout_in_seconds = blue_green_update_policy.value.maximum_execution_seconds

        traffic_routing_configuration {
          type                     = upper(blue_green_update_policy.value.traffic_shifting)
          wait_interval_in_seconds = blue_green_update_policy.value.wait_seconds

          dynamic "canary_size" {
            for_each = blue_green_update_policy.value.traffic_shifting == "canary" ? [local.step] : []

            content {
              type  = canary_size.value.type
              value = canary_size.value.value
            }
          }

          dynamic "linear_step_size" {
            for_each = blue_green_update_policy.value.traffic_shifting == "linear" ? [local.step] : []

            content {
              type  = linear_step_size.value.type
              value = linear_step_size.value.value
            }
          }
        }
      }
    }

    dynamic "rolling_update_policy" {
      for_each = var.deployment.traffic_shifting == "rolling" ? [var.deployment] : []

      content {
        wait_interval_in_seconds             = rolling_update_policy.value.wait_seconds
        maximum_execution_timeout_in_seconds = rolling_update_policy.value.maximum_execution_seconds

        maximum_batch_size {
          type  = local.step.type
          value = local.step.value
        }
      }
    }

    dynamic "auto_rollback_configuration" {
      for_each = length(local.rollback_alarm_names) > 0 ? [local.rollback_alarm_names] : []

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

  lifecycle {
    precondition {
      condition     = var.variants.second == null || var.deployment.traffic_shifting != "rolling"
      error_message = "SageMaker has no rolling update for an endpoint with two variants: remove variants.second, or choose another deployment.traffic_shifting."
    }
  }

  depends_on = [
    aws_cloudwatch_log_group.this, # containers log as soon as they start
    terraform_data.scaled_variants,
  ]
}

locals {
  step = (
    var.deployment.step_instances == null
    ? { type = "CAPACITY_PERCENT", value = var.deployment.step_percentage }
    : { type = "INSTANCE_COUNT", value = var.deployment.step_instances }
  )
}
