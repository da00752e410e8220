# What a plan of the foundation says, and which inputs it refuses. No account: every AWS call is mocked.

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

  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
}

variables {
  environment = "dev"
  region      = "eu-west-1"
}

run "names_are_known_at_plan" {
  command = plan

  assert {
    condition     = local.bucket == "image-classifier-dev-123456789012-eu-west-1"
    error_message = "The bucket's name must be computed from project, environment, account and region: ${local.bucket}"
  }

  assert {
    condition     = module.training_role.arn == "arn:aws:iam::123456789012:role/image-classifier-dev-training"
    error_message = "A role's ARN must be computed from its name."
  }

  assert {
    condition     = aws_ssm_parameter.handover.name == "/image-classifier/dev/foundation"
    error_message = "The hand-over must lie where the tasks look for it."
  }

  assert {
    condition     = aws_cloudwatch_log_group.training[0].name == "/aws/sagemaker/TrainingJobs"
    error_message = "SageMaker writes training logs to this group and no other."
  }
}

run "no_network_is_the_default" {
  command = plan

  assert {
    condition     = length(module.network) == 0 && length(module.flow_logs_role) == 0 && local.handover.network == null
    error_message = "A private network bills by the hour: only on request."
  }
}

run "private_network_on_request" {
  command = plan

  variables {
    network = { enabled = true }
  }

  assert {
    condition     = module.network[0].subnet_cidrs == { "eu-west-1a" = "10.40.0.0/23", "eu-west-1b" = "10.40.2.0/23" }
    error_message = "Two zones of the region get a subnet."
  }

  assert {
    condition = jsondecode(local.endpoint_policies["monitoring"]).Statement == [
      for s in local.private_statements : s if s.Sid == "PublishAndReadMetrics"
    ]
    error_message = "An endpoint lets pass what is of its service."
  }

  assert {
    condition     = length(local.endpoint_policies) == 11 && contains(keys(local.in_network), "network-interfaces")
    error_message = "Eleven services, and roles that may put interfaces into the network."
  }

  assert {
    condition     = module.flow_logs_role[0].arn == "arn:aws:iam::123456789012:role/image-classifier-dev-flow-logs"
    error_message = "Traffic is recorded unless that is declined."
  }
}

run "training_log_group_can_belong_to_another_environment" {
  command = plan

  variables {
    logs = { manage_training_group = false }
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.training) == 0
    error_message = "A group that another environment owns must not be created."
  }
}

run "environment_with_capitals_is_refused" {
  command = plan

  variables {
    environment = "Dev"
  }

  expect_failures = [var.environment]
}

run "long_prefix_is_refused" {
  command = plan

  variables {
    project = "a-much-too-long-project-name"
  }

  expect_failures = [var.environment]
}

run "project_with_underscore_is_refused" {
  command = plan

  variables {
    project = "image_classifier"
  }

  expect_failures = [var.project]
}

run "unknown_shape_of_region_is_refused" {
  command = plan

  variables {
    region = "Ireland"
  }

  expect_failures = [var.region]
}

run "log_retention_that_cloudwatch_lacks_is_refused" {
  command = plan

  variables {
    logs = { retention_days = 8 }
  }

  expect_failures = [var.logs]
}

run "registry_account_of_other_than_12_digits_is_refused" {
  command = plan

  variables {
    images = { account_id = "7631" }
  }

  expect_failures = [var.images]
}
