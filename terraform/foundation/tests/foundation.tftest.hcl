# What the plan contains, and which inputs it refuses. No account: every AWS call is mocked.

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
  project      = "image-classifier"
  environment  = "dev"
  region       = "eu-west-1"
  boundary_arn = ""
  images       = { account_id = "123456789012", training_repository = "pytorch", serving_repository = "ray" }
  logs         = { retention_days = 365, manage_training_group = true, manage_processing_group = true }
  network      = { enabled = false, flow_logs = true }
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
    condition     = aws_ssm_parameter.outputs.name == "/image-classifier/dev/foundation"
    error_message = "The tasks read the outputs at this name."
  }

  assert {
    condition     = aws_cloudwatch_log_group.training[0].name == "/aws/sagemaker/TrainingJobs"
    error_message = "SageMaker writes training logs to this group only."
  }
}

run "no_private_network" {
  command = plan

  assert {
    condition     = length(module.network) == 0 && length(module.flow_logs_role) == 0 && local.outputs.network == null
    error_message = "Without network.enabled there must be no private network, which bills by the hour."
  }
}

run "private_network" {
  command = plan

  variables {
    network = { enabled = true, flow_logs = true }
  }

  assert {
    condition     = module.network[0].subnet_cidrs == { "eu-west-1a" = "10.40.0.0/23", "eu-west-1b" = "10.40.2.0/23" }
    error_message = "Two zones of the region must get a subnet."
  }

  assert {
    condition = jsondecode(local.endpoint_policies["monitoring"]).Statement == [
      for s in local.private_statements : s if s.Sid == "PublishAndReadMetrics"
    ]
    error_message = "An endpoint's policy must contain the statements of its service only."
  }

  assert {
    condition     = length(local.endpoint_policies) == 11 && contains(keys(local.in_network), "network-interfaces")
    error_message = "Eleven services must have an endpoint, and the roles must be allowed to create network interfaces."
  }

  assert {
    condition     = module.flow_logs_role[0].arn == "arn:aws:iam::123456789012:role/image-classifier-dev-flow-logs"
    error_message = "With network.flow_logs there must be a role that writes them."
  }
}

run "training_log_group_can_belong_to_another_environment" {
  command = plan

  variables {
    logs = { retention_days = 365, manage_training_group = false, manage_processing_group = false }
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.training) == 0
    error_message = "A group that another environment owns must not be created."
  }
}

run "refuses_an_environment_with_capitals" {
  command = plan

  variables {
    environment = "Dev"
  }

  expect_failures = [var.environment]
}

run "refuses_a_prefix_that_is_too_long" {
  command = plan

  variables {
    project = "a-much-too-long-project-name"
  }

  expect_failures = [var.environment]
}

run "refuses_a_project_with_an_underscore" {
  command = plan

  variables {
    project = "image_classifier"
  }

  expect_failures = [var.project]
}

run "refuses_a_region_that_is_no_aws_region" {
  command = plan

  variables {
    region = "Ireland"
  }

  expect_failures = [var.region]
}

run "refuses_a_retention_that_cloudwatch_does_not_take" {
  command = plan

  variables {
    logs = { retention_days = 8, manage_training_group = true, manage_processing_group = true }
  }

  expect_failures = [var.logs]
}

run "refuses_a_registry_that_is_no_account_id" {
  command = plan

  variables {
    images = { account_id = "7631", training_repository = "pytorch", serving_repository = "ray" }
  }

  expect_failures = [var.images]
}
