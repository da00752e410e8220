# Inputs that the module refuses. Each variable that a run expects to fail has exactly one wrong value.

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

run "refuses_hosting_in_two_ways" {
  command = plan

  variables {
    hosting = { instance = { type = "ml.m5.large" }, serverless = {} }
    name    = "image-classifier-dev-with-a-suffix-that-is-far-too-long" # no room for a hash
  }

  expect_failures = [var.hosting, var.name]
}

run "refuses_hosting_in_no_way" {
  command = plan

  variables {
    hosting           = {}
    model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/image-classifier-dev" # no version
  }

  expect_failures = [var.hosting, var.model_package_arn]
}

run "refuses_ec2_instance_type" {
  command = plan

  variables {
    hosting = { instance = { type = "m5.large" } }
  }

  expect_failures = [var.hosting]
}

run "refuses_half_an_instance" {
  command = plan

  variables {
    hosting = { instance = { type = "ml.m5.large", initial_count = 1.5 } }
  }

  expect_failures = [var.hosting]
}

run "refuses_odd_serverless_memory" {
  command = plan

  variables {
    hosting = { serverless = { memory_mb = 3000 } }
  }

  expect_failures = [var.hosting]
}

run "refuses_more_provisioned_than_concurrent" {
  command = plan

  variables {
    hosting = { serverless = { max_concurrency = 2, provisioned_concurrency = 3 } }
  }

  expect_failures = [var.hosting]
}

run "refuses_too_many_invocations_at_once" {
  command = plan

  variables {
    hosting = { asynchronous = { instance_type = "ml.m5.large", max_concurrent_invocations_per_instance = 2000 } }
  }

  expect_failures = [var.hosting]
}

run "refuses_prefix_of_answers_without_slash" {
  command = plan

  variables {
    hosting = { asynchronous = { instance_type = "ml.m5.large", prefix = "async" } }
  }

  expect_failures = [var.hosting]
}

run "refuses_what_serverless_inference_lacks" {
  command = plan

  variables {
    hosting      = { serverless = {} }
    variants     = { second = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2", traffic_percentage = 20 } }
    data_capture = { enabled = true }
    network      = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    deployment   = { traffic_shifting = "canary", step_percentage = 10 }
    autoscaling  = { target_concurrent_requests_per_model = 0 }
  }

  expect_failures = [var.variants, var.data_capture, var.network, var.deployment, var.autoscaling]
}

run "refuses_shadow_of_an_asynchronous_endpoint" {
  command = plan

  variables {
    hosting     = { asynchronous = { instance_type = "ml.m5.large" } }
    variants    = { shadow = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2" } }
    autoscaling = { scale_in_cooldown = -1 }
    deployment  = { traffic_shifting = "roling" }
  }

  expect_failures = [var.variants, var.autoscaling, var.deployment]
}

run "refuses_both_variants_and_scaling_to_zero" {
  command = plan

  variables {
    variants     = { second = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2", traffic_percentage = 20 }, shadow = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2" } }
    data_capture = { enabled = true, sampling_percentage = 0.5 }
    network      = { subnet_ids = ["subnet-1"] } # no security group
    autoscaling  = { min_capacity = 0 }
    deployment   = { traffic_shifting = "canary" } # of no size
  }

  expect_failures = [var.variants, var.data_capture, var.network, var.autoscaling, var.deployment]
}

run "refuses_fractional_weight_and_schedule_of_nothing" {
  command = plan

  variables {
    variants     = { second = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2", traffic_percentage = 12.5 } }
    data_capture = { enabled = true, prefix = "" }
    autoscaling  = { schedules = [{ name = "day", schedule = "rate(1 day)" }] }
    deployment   = { traffic_shifting = "canary", step_percentage = 60 }
  }

  expect_failures = [var.variants, var.data_capture, var.autoscaling, var.deployment]
}

run "refuses_fractional_sample_and_schedule_of_no_expression" {
  command = plan

  variables {
    variants    = { shadow = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2", sampling_percentage = 0.5 } }
    autoscaling = { schedules = [{ name = "day", schedule = "0 8 * * *", min_capacity = 2 }] }
    deployment  = { traffic_shifting = "linear", step_percentage = 5 }
  }

  expect_failures = [var.variants, var.autoscaling, var.deployment]
}

run "refuses_shadow_without_instances_and_start_above_the_maximum" {
  command = plan

  variables {
    hosting     = { instance = { type = "ml.m5.large", initial_count = 4 } }
    variants    = { shadow = { model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2", instance_count = 0 } }
    autoscaling = {}
    deployment  = { traffic_shifting = "linear", step_instances = 0.5 }
  }

  expect_failures = [var.variants, var.autoscaling, var.deployment]
}

run "refuses_burstable_instances_that_scale" {
  command = plan

  variables {
    hosting     = { instance = { type = "ml.t2.medium" } }
    variants    = { second = { model_package_arn = "image-classifier-dev", traffic_percentage = 20 } }
    autoscaling = {}
    deployment  = { termination_wait_seconds = 7200 }
  }

  expect_failures = [var.variants, var.autoscaling, var.deployment]
}

run "refuses_less_time_than_the_waits" {
  command = plan

  variables {
    deployment = { traffic_shifting = "linear", step_percentage = 10, wait_seconds = 300, maximum_execution_seconds = 1800 }
  }

  expect_failures = [var.deployment]
}

run "refuses_rolling_two_variants" {
  command = plan

  variables {
    variants = {
      second = {
        model_package_arn  = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/2"
        traffic_percentage = 20
      }
    }
    deployment = { traffic_shifting = "rolling", step_instances = 1 }
  }

  expect_failures = [aws_sagemaker_endpoint.this]
}

run "refuses_more_alarms_than_sagemaker_takes" {
  command = plan

  variables {
    deployment = { rollback_thresholds = {}, rollback_alarm_names = [for n in range(9) : "alarm-${n}"] }
  }

  expect_failures = [var.deployment]
}
