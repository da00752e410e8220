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

run "refuses_a_name_with_spaces" {
  command = plan

  variables {
    name = "training role"
  }

  expect_failures = [var.name]
}

run "refuses_a_trust_policy_that_is_no_document" {
  command = plan

  variables {
    trust_policy = "sagemaker.amazonaws.com"
  }

  expect_failures = [var.trust_policy]
}

run "refuses_a_policy_without_a_statement" {
  command = plan

  variables {
    policy           = "{}"
    further_policies = { network-interfaces = "{}" }
  }

  expect_failures = [var.policy, var.further_policies]
}

run "further_policies_have_their_own_names" {
  command = plan

  variables {
    further_policies = { network-interfaces = "{\"Version\": \"2012-10-17\", \"Statement\": [{}]}" }
  }

  assert {
    condition = (
      aws_iam_role_policy.further["network-interfaces"].name == "image-classifier-dev-training-network-interfaces"
      && aws_iam_role_policy.further["network-interfaces"].policy == var.further_policies["network-interfaces"]
    )
    error_message = "A further policy must be a policy of its own name."
  }
}

run "boundary_path_and_managed_policies" {
  command = plan

  variables {
    path                = "/access/"
    boundary_arn        = "arn:aws:iam::123456789012:policy/boundary"
    managed_policy_arns = { storage = "arn:aws:iam::123456789012:policy/storage" }
  }

  assert {
    condition     = output.arn == "arn:aws:iam::123456789012:role/access/image-classifier-dev-training"
    error_message = "The ARN must contain the path."
  }

  assert {
    condition = (
      aws_iam_role.this.permissions_boundary == var.boundary_arn
      && aws_iam_role_policy_attachment.this["storage"].policy_arn == var.managed_policy_arns["storage"]
    )
    error_message = "The role must have its boundary and its managed policies."
  }
}

run "refuses_a_path_without_slashes_and_too_many_policies" {
  command = plan

  variables {
    path                = "access"
    managed_policy_arns = { for n in range(11) : n => "arn:aws:iam::123456789012:policy/p${n}" }
  }

  expect_failures = [var.path, var.managed_policy_arns]
}
