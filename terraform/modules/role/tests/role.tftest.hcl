mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name         = "image-classifier-dev-training"
  description  = "Trains"
  trust_policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
  policy       = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "documents_and_arn_are_known_at_plan" {
  command = plan

  assert {
    condition     = aws_iam_role_policy.this.policy == var.policy && aws_iam_role.this.assume_role_policy == var.trust_policy
    error_message = "A plan must show what the role may do and who may assume it."
  }

  assert {
    condition     = output.arn == "arn:aws:iam::123456789012:role/image-classifier-dev-training"
    error_message = "The ARN must be computed from the name."
  }
}

run "name_with_spaces_is_refused" {
  command = plan

  variables {
    name = "training role"
  }

  expect_failures = [var.name]
}

run "trust_policy_that_is_no_document_is_refused" {
  command = plan

  variables {
    trust_policy = "sagemaker.amazonaws.com"
  }

  expect_failures = [var.trust_policy]
}

run "policy_without_a_statement_is_refused" {
  command = plan

  variables {
    policy = "{}"
  }

  expect_failures = [var.policy]
}
