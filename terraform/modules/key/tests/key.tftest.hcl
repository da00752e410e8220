mock_provider "aws" {}

variables {
  alias  = "image-classifier-dev"
  policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "key_rotates_and_can_be_saved_for_a_month" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and its deletion leave 30 days."
  }

  assert {
    condition     = aws_kms_key.this.policy == var.policy
    error_message = "A plan must show who may use the key."
  }

  assert {
    condition     = output.alias == "alias/image-classifier-dev"
    error_message = "The alias must be computed from its name."
  }
}

run "alias_of_aws_deletion_at_once_and_policy_without_a_statement_are_refused" {
  command = plan

  variables {
    alias                = "aws/s3"
    deletion_window_days = 1
    policy               = "{}"
  }

  expect_failures = [var.alias, var.deletion_window_days, var.policy]
}
