mock_provider "aws" {}

variables {
  alias  = "image-classifier-dev"
  policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "key_rotates_with_a_deletion_window_of_30_days" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate and have a deletion window of 30 days."
  }

  assert {
    condition     = aws_kms_key.this.policy == var.policy
    error_message = "The policy must be known at plan."
  }

  assert {
    condition     = output.alias == "alias/image-classifier-dev"
    error_message = "The alias must be computed from its name."
  }
}

run "refuses_an_aws_alias_a_short_window_and_a_policy_without_a_statement" {
  command = plan

  variables {
    alias                = "aws/s3"
    deletion_window_days = 1
    policy               = "{}"
  }

  expect_failures = [var.alias, var.deletion_window_days, var.policy]
}
