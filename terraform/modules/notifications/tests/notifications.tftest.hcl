mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
}

variables {
  name            = "image-classifier-dev-alarms"
  kms_key_arn     = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  policy          = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
  job_name_prefix = "image-classifier-dev"
}

run "reports_failed_jobs_with_the_prefix" {
  command = plan

  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.failed_job["training"].event_pattern).detail.TrainingJobStatus[0] == "Failed"
      && jsondecode(aws_cloudwatch_event_rule.failed_job["training"].event_pattern).detail.TrainingJobName[0].prefix == "image-classifier-dev"
      && jsondecode(aws_cloudwatch_event_rule.failed_job["tuning"].event_pattern).detail.HyperParameterTuningJobStatus[0] == "Failed"
    )
    error_message = "Only failed training and tuning jobs with the prefix must be reported."
  }

  assert {
    condition     = output.topic_arn == "arn:aws:sns:us-east-1:123456789012:image-classifier-dev-alarms"
    error_message = "The ARN must be computed from the name, because policies contain it."
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn && length(aws_sns_topic_subscription.email) == 0
    error_message = "The topic must be encrypted and have no subscription by default."
  }
}

run "each_address_subscribes_once" {
  command = plan

  variables {
    emails = ["a@example.com", "b@example.com", "a@example.com"]
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 2
    error_message = "An address must be subscribed once."
  }
}

run "refuses_an_invalid_address" {
  command = plan

  variables {
    emails = ["team"]
  }

  expect_failures = [var.emails]
}

run "refuses_an_empty_prefix" {
  command = plan

  variables {
    job_name_prefix = ""
  }

  expect_failures = [var.job_name_prefix]
}

run "refuses_a_name_too_long_for_a_rule" {
  command = plan

  variables {
    name = "a-name-of-forty-nine-characters-is-one-too-many-x"
  }

  expect_failures = [var.name]
}

run "refuses_a_policy_that_is_no_document" {
  command = plan

  variables {
    policy = "cloudwatch"
  }

  expect_failures = [var.policy]
}
