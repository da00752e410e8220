# What the module creates by default and by each choice. No account: every AWS call is mocked.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
}

variables {
  name               = "image-classifier-dev"
  model_package_arn  = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/1"
  execution_role_arn = "arn:aws:iam::123456789012:role/image-classifier-dev-endpoint"
  kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  bucket             = "image-classifier-dev-123456789012-eu-west-1"
  hosting            = { instance = { type = "ml.m5.large" } }
}

run "defaults" {
  command = plan

  assert {
    condition = (
      aws_appautoscaling_target.this["AllTraffic"].min_capacity == 1
      && aws_appautoscaling_target.this["AllTraffic"].max_capacity == 3
    )
    error_message = "The endpoint must scale between 1 and 3 instances by default."
  }

  assert {
    condition = (
      aws_appautoscaling_policy.this["AllTraffic"].target_tracking_scaling_policy_configuration[0].scale_in_cooldown == 30
      && aws_appautoscaling_policy.this["AllTraffic"].target_tracking_scaling_policy_configuration[0].scale_out_cooldown == 300
    )
    error_message = "Cooldowns must be 30 s in and 300 s out by default."
  }

  assert {
    condition     = one(values(aws_sagemaker_model.this)).enable_network_isolation
    error_message = "The model's containers must have no network."
  }

  assert {
    condition     = one(values(aws_sagemaker_endpoint_configuration.this)).kms_key_arn == var.kms_key_arn
    error_message = "Volumes must be encrypted with the given key."
  }

  assert {
    condition = (
      aws_sagemaker_endpoint.this.deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration[0].type == "ALL_AT_ONCE"
      && length(one(values(aws_sagemaker_endpoint_configuration.this)).data_capture_config) == 0
    )
    error_message = "By default traffic must shift at once, without data capture."
  }
}

run "new_model_keeps_the_live_configuration_and_starts_with_its_instance_count" {
  command = plan

  variables {
    model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2"
    deployed = {
      kept_configurations = run.defaults.kept_configurations
      live                = run.defaults.kept_configurations[0].key
      instance_counts     = { AllTraffic = 3 }
    }
  }

  assert {
    condition     = length(aws_sagemaker_endpoint_configuration.this) == 2 && length(aws_sagemaker_model.this) == 2
    error_message = "The live configuration and model must be kept."
  }

  assert {
    condition     = aws_sagemaker_endpoint_configuration.this[output.kept_configurations[0].key].production_variants[0].initial_instance_count == 3
    error_message = "The new configuration must start with the live instance count."
  }

  assert {
    condition     = aws_sagemaker_endpoint_configuration.this[output.kept_configurations[1].key].production_variants[0].initial_instance_count == 1
    error_message = "The live configuration must not change."
  }

  assert {
    condition     = aws_sagemaker_endpoint.this.endpoint_config_name == "image-classifier-dev-${output.kept_configurations[0].key}"
    error_message = "The endpoint must get the new configuration."
  }
}

run "scale_out_is_no_change" {
  command = plan

  variables {
    deployed = {
      kept_configurations = run.defaults.kept_configurations
      live                = run.defaults.kept_configurations[0].key
      instance_counts     = { AllTraffic = 3 }
    }
  }

  assert {
    condition     = jsonencode(output.kept_configurations) == jsonencode(run.defaults.kept_configurations)
    error_message = "A plan after a scale-out must be empty."
  }
}

run "rolled_back_configuration_is_deleted_and_the_live_one_kept" {
  command = plan

  variables {
    model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/3"
    deployed = {
      kept_configurations = run.new_model_keeps_the_live_configuration_and_starts_with_its_instance_count.kept_configurations
      live                = run.defaults.kept_configurations[0].key
    }
  }

  assert {
    condition     = jsonencode(slice(output.kept_configurations, 1, length(output.kept_configurations))) == jsonencode(run.defaults.kept_configurations)
    error_message = "The update to model 2 was rolled back: 1 is live and must be kept, 2 must be deleted."
  }
}

run "rollback_alarms_watch_only_the_new_fleet" {
  command = plan

  variables {
    model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2"
    deployment = {
      rollback_thresholds  = { error_percent = 5 }
      rollback_alarm_names = ["business", "business", "tripped"]
    }
    deployed = {
      kept_configurations  = run.defaults.kept_configurations
      live                 = run.defaults.kept_configurations[0].key
      rollback_alarm_names = ["image-classifier-dev-old-5xx"]
      alarms_in_alarm      = ["tripped"]
    }
  }

  assert {
    condition = alltrue([
      for query in one(values(aws_cloudwatch_metric_alarm.new_fleet_errors)).metric_query :
      query.metric[0].dimensions.EndpointConfigName == output.configuration_name if length(query.metric) > 0
    ])
    error_message = "Errors of the old fleet must not count."
  }

  assert {
    condition     = one(values(aws_cloudwatch_metric_alarm.new_fleet_latency)).dimensions.EndpointConfigName == output.configuration_name
    error_message = "The latency of the old fleet must not count."
  }

  assert {
    condition = one(values(aws_cloudwatch_metric_alarm.new_fleet_errors)).threshold == 5 && (
      one(values(aws_cloudwatch_metric_alarm.new_fleet_latency)).threshold == 2000000
    )
    error_message = "Thresholds must be the given ones."
  }

  assert {
    condition = toset(aws_sagemaker_endpoint.this.deployment_config[0].auto_rollback_configuration[0].alarms[*].alarm_name) == toset([
      "${output.configuration_name}-5xx", "${output.configuration_name}-latency", "business",
    ])
    error_message = "An alarm that is in ALARM before the update would roll it back at once, so it must be left out."
  }
}

run "alarms_left_out_of_an_update_are_no_change_afterwards" {
  command = plan

  variables {
    deployment = {
      rollback_thresholds  = {}
      rollback_alarm_names = ["business", "tripped"]
    }
    deployed = {
      kept_configurations  = run.defaults.kept_configurations
      live                 = run.defaults.kept_configurations[0].key
      rollback_alarm_names = ["business"]
    }
  }

  assert {
    condition     = one(aws_sagemaker_endpoint.this.deployment_config[0].auto_rollback_configuration[0].alarms).alarm_name == "business"
    error_message = "Without a new configuration the alarms must be those of the last update: others would update the endpoint."
  }
}

run "without_scaling_the_instance_count_is_initial_count" {
  command = plan

  variables {
    hosting     = { instance = { type = "ml.t2.medium", initial_count = 2 } }
    autoscaling = { enabled = false }
    deployed    = { instance_counts = { AllTraffic = 5 } }
  }

  assert {
    condition = (
      length(aws_appautoscaling_target.this) == 0 && output.capacity.max == 2
      && one(values(aws_sagemaker_endpoint_configuration.this)).production_variants[0].initial_instance_count == 2
    )
    error_message = "Without scaling the instance count must be initial_count."
  }
}

run "nvme_instances_get_no_key" {
  command = plan

  variables {
    hosting = { instance = { type = "ml.g4dn.xlarge" } }
    network = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = one(values(aws_sagemaker_endpoint_configuration.this)).kms_key_arn == null
    error_message = "SageMaker refuses a key for instances with NVMe disks."
  }

  assert {
    condition     = one(values(aws_sagemaker_model.this)).vpc_config[0].subnets == toset(["subnet-1"])
    error_message = "The containers must run in the given subnets."
  }
}

run "serverless_has_no_instances_isolation_or_scaling" {
  command = plan

  variables {
    hosting = { serverless = { memory_mb = 2048, max_concurrency = 20, provisioned_concurrency = 2 } }
  }

  assert {
    condition = (
      one(values(aws_sagemaker_endpoint_configuration.this)).production_variants[0].serverless_config[0].provisioned_concurrency == 2
      && one(values(aws_sagemaker_endpoint_configuration.this)).production_variants[0].instance_type == null
      && one(values(aws_sagemaker_endpoint_configuration.this)).kms_key_arn == null
      && !one(values(aws_sagemaker_model.this)).enable_network_isolation
      && length(aws_appautoscaling_target.this) == 0 && output.kind == "serverless"
    )
    error_message = "Serverless inference must have memory and concurrency only."
  }
}

run "asynchronous_scales_to_zero_and_back" {
  command = plan

  variables {
    hosting = {
      asynchronous = {
        instance_type                           = "ml.m5.large"
        max_concurrent_invocations_per_instance = 4
        error_topic_arn                         = "arn:aws:sns:eu-west-1:123456789012:image-classifier-dev-errors"
      }
    }
    autoscaling = { min_capacity = 0 }
  }

  assert {
    condition = (
      one(values(aws_sagemaker_endpoint_configuration.this)).async_inference_config[0].output_config[0].s3_output_path
      == "s3://${var.bucket}/async/image-classifier-dev/output"
      && one(values(aws_sagemaker_endpoint_configuration.this)).async_inference_config[0].output_config[0].kms_key_id == var.kms_key_arn
      && one(values(aws_sagemaker_endpoint_configuration.this)).async_inference_config[0].client_config[0].max_concurrent_invocations_per_instance == 4
      && one(values(aws_sagemaker_endpoint_configuration.this)).async_inference_config[0].output_config[0].notification_config[0].error_topic != null
    )
    error_message = "Responses must go to the bucket, encrypted, and errors to the topic."
  }

  assert {
    condition = (
      one(aws_appautoscaling_policy.this["AllTraffic"].target_tracking_scaling_policy_configuration[0].customized_metric_specification).metric_name
      == "ApproximateBacklogSizePerInstance"
      && aws_cloudwatch_metric_alarm.from_zero["AllTraffic"].metric_name == "HasBacklogWithoutCapacity"
      && aws_appautoscaling_policy.from_zero["AllTraffic"].policy_type == "StepScaling"
    )
    error_message = "The backlog must scale the endpoint, and an alarm must start the first instance."
  }
}

run "second_variant_has_its_own_weight_and_scaling" {
  command = plan

  variables {
    variants = {
      second = {
        model_package_arn  = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2"
        traffic_percentage = 20
      }
    }
    autoscaling = {
      target_concurrent_requests_per_model = 5
      schedules                            = [{ name = "day", schedule = "cron(0 8 ? * MON-FRI *)", timezone = "Europe/Berlin", min_capacity = 2 }]
    }
  }

  assert {
    condition = (
      one(values(aws_sagemaker_endpoint_configuration.this)).production_variants[*].initial_variant_weight == tolist([80, 20])
      && length(distinct(one(values(aws_sagemaker_endpoint_configuration.this)).production_variants[*].model_name)) == 2
    )
    error_message = "Two models must share the requests 80 to 20."
  }

  assert {
    condition     = output.scaled_variants == tolist(["AllTraffic", "Second"]) && length(aws_appautoscaling_policy.this) == 2
    error_message = "Each production variant must scale."
  }

  assert {
    condition = (
      one(aws_appautoscaling_policy.this["Second"].target_tracking_scaling_policy_configuration[0].predefined_metric_specification).predefined_metric_type
      == "SageMakerVariantConcurrentRequestsPerModelHighResolution"
      && aws_appautoscaling_policy.this["Second"].target_tracking_scaling_policy_configuration[0].target_value == 5
    )
    error_message = "A target of concurrent requests must use the high-resolution metric."
  }

  assert {
    condition     = aws_appautoscaling_scheduled_action.this["Second/day"].scalable_target_action[0].min_capacity == "2" && length(aws_appautoscaling_scheduled_action.this) == 2
    error_message = "A schedule must change the bounds of every variant."
  }
}

run "shadow_variant_canary_and_data_capture" {
  command = plan

  variables {
    variants = {
      shadow = {
        model_package_arn   = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2"
        sampling_percentage = 25
      }
    }
    data_capture = { enabled = true, sampling_percentage = 10 }
    deployment = {
      traffic_shifting          = "canary"
      step_percentage           = 10
      wait_seconds              = 300
      maximum_execution_seconds = 1800
      rollback_alarm_names      = ["image-classifier-dev-5xx", "image-classifier-dev-latency"]
    }
  }

  assert {
    condition = (
      one(values(aws_sagemaker_endpoint_configuration.this)).production_variants[0].initial_variant_weight == 100
      && one(values(aws_sagemaker_endpoint_configuration.this)).shadow_production_variants[0].initial_variant_weight == 25
      && output.scaled_variants == tolist(["AllTraffic"]) && length(output.variants) == 2
    )
    error_message = "The shadow variant must get a quarter of the requests and not scale."
  }

  assert {
    condition = (
      one(values(aws_sagemaker_endpoint_configuration.this)).data_capture_config[0].destination_s3_uri == "s3://${var.bucket}/capture"
      && one(values(aws_sagemaker_endpoint_configuration.this)).data_capture_config[0].kms_key_id == var.kms_key_arn
      && one(values(aws_sagemaker_endpoint_configuration.this)).data_capture_config[0].initial_sampling_percentage == 10
    )
    error_message = "A tenth of the requests must be captured, encrypted."
  }

  assert {
    condition = (
      aws_sagemaker_endpoint.this.deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration[0].canary_size[0].value == 10
      && aws_sagemaker_endpoint.this.deployment_config[0].blue_green_update_policy[0].maximum_execution_timeout_in_seconds == 1800
      && length(aws_sagemaker_endpoint.this.deployment_config[0].auto_rollback_configuration[0].alarms) == 2
    )
    error_message = "The canary must be a tenth of the fleet, with two rollback alarms."
  }
}

run "linear_shifting_by_instances" {
  command = plan

  variables {
    deployment = { traffic_shifting = "linear", step_instances = 1, wait_seconds = 60 }
  }

  assert {
    condition = (
      aws_sagemaker_endpoint.this.deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration[0].linear_step_size[0].type
      == "INSTANCE_COUNT"
    )
    error_message = "A step in instances must have type INSTANCE_COUNT."
  }
}

run "rolling_update" {
  command = plan

  variables {
    deployment = { traffic_shifting = "rolling", step_percentage = 34, wait_seconds = 60 }
  }

  assert {
    condition = (
      length(aws_sagemaker_endpoint.this.deployment_config[0].blue_green_update_policy) == 0
      && aws_sagemaker_endpoint.this.deployment_config[0].rolling_update_policy[0].maximum_batch_size[0].value == 34
    )
    error_message = "A batch must be a third of the fleet, without a blue/green policy."
  }
}
