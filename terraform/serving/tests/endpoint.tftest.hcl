# The endpoint module by itself.

mock_provider "aws" {
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
  instance_type      = "ml.m5.large"
}

run "original_scaling_is_the_default" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 1 && aws_appautoscaling_target.this[0].max_capacity == 3
    error_message = "The endpoint scales between 1 and 3 instances by default."
  }

  assert {
    condition = (
      aws_appautoscaling_policy.this[0].target_tracking_scaling_policy_configuration[0].scale_in_cooldown == 30
      && aws_appautoscaling_policy.this[0].target_tracking_scaling_policy_configuration[0].scale_out_cooldown == 300
    )
    error_message = "Cooldowns are 30 s in and 300 s out by default."
  }

  assert {
    condition     = aws_sagemaker_model.this.enable_network_isolation
    error_message = "The model's containers must have no network."
  }

  assert {
    condition     = aws_sagemaker_endpoint_configuration.this.kms_key_arn == var.kms_key_arn
    error_message = "Volumes must be encrypted with the given key."
  }
}

run "new_model_version_gets_new_names" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2"
  }

  assert {
    condition     = output.model_name != run.original_scaling_is_the_default.model_name
    error_message = "Models are immutable: another version needs another name."
  }

  assert {
    condition     = output.configuration_name != run.original_scaling_is_the_default.configuration_name
    error_message = "Configurations are immutable: another model needs another name."
  }
}

run "nvme_instances_get_no_key" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    instance_type = "ml.g4dn.xlarge"
  }

  assert {
    condition     = aws_sagemaker_endpoint_configuration.this.kms_key_arn == null
    error_message = "SageMaker refuses a key for instances with NVMe disks."
  }
}

run "burstable_without_scaling_is_accepted" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    instance_type = "ml.t2.medium"
    autoscaling   = { enabled = false }
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) == 0 && output.capacity.max == 1
    error_message = "Nothing may scale."
  }
}

run "burstable_with_scaling_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    instance_type = "ml.t2.medium"
  }

  expect_failures = [var.autoscaling]
}

run "scaling_to_zero_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    autoscaling = { min_capacity = 0 }
  }

  expect_failures = [var.autoscaling]
}

run "start_above_the_maximum_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    initial_instance_count = 4
  }

  expect_failures = [var.autoscaling]
}

run "ec2_instance_type_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    instance_type = "m5.large"
  }

  expect_failures = [var.instance_type]
}

run "name_without_room_for_a_hash_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    name = "image-classifier-dev-with-a-suffix-that-is-far-too-long"
  }

  expect_failures = [var.name]
}

run "model_group_without_version_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/image-classifier-dev"
  }

  expect_failures = [var.model_package_arn]
}

run "wait_beyond_an_hour_is_refused" {
  command = plan

  module {
    source = "../modules/endpoint"
  }

  variables {
    deployment = { termination_wait_seconds = 7200 }
  }

  expect_failures = [var.deployment]
}
