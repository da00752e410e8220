# What the plan contains, and which inputs it refuses. No account: every AWS call is mocked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  project          = "image-classifier"
  environment      = "dev"
  region           = "us-east-1"
  image_account_id = "123456789012"
  github           = { repository = "", environment = "", create_identity_provider = false }
}

run "an_operator_and_a_boundary_by_default" {
  command = plan

  assert {
    condition     = output.operator_role_arn == "arn:aws:iam::123456789012:role/access/image-classifier-dev-operator"
    error_message = "The operator's role must be named after the environment, with the path /access/."
  }

  assert {
    condition     = output.ci_plan_role_arn == "" && output.ci_apply_role_arn == ""
    error_message = "Without a repository there must be no roles for CI."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Without a repository there must be no identity provider."
  }

  assert {
    condition     = aws_iam_policy.boundary.path == "/access/" && output.boundary_arn == "arn:aws:iam::123456789012:policy/access/image-classifier-dev-boundary"
    error_message = "The boundary must have the path /access/, which policies for image-classifier-dev-* do not cover."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_policy.stacks)[*].policy, [aws_iam_policy.boundary.policy]) :
      length(replace(jsonencode(jsondecode(policy)), "\\u003e", ">")) <= 6144
    ])
    error_message = "IAM takes at most 6,144 characters for a managed policy."
  }
}

run "ci_of_a_repository" {
  command = plan

  variables {
    github = { repository = "example/image-classifier", environment = "production", create_identity_provider = true }
  }

  assert {
    condition = jsondecode(module.ci_plan_role[0].trust_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == [
      "repo:example/image-classifier:pull_request",
      "repo:example/image-classifier:ref:refs/heads/main",
    ]
    error_message = "Only pull requests of the repository, and its main branch, may plan."
  }

  assert {
    condition     = jsondecode(module.ci_apply_role[0].trust_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:example/image-classifier:environment:production"
    error_message = "Only the protected environment may apply."
  }

  assert {
    condition = alltrue([
      for trust in [module.ci_plan_role[0].trust_policy, module.ci_apply_role[0].trust_policy] :
      jsondecode(trust).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    ])
    error_message = "Tokens must be meant for AWS."
  }

  assert {
    condition     = setsubtract(keys(local.stack_policy_arns), keys(local.ci_policy_arns)) == toset(["sweep", "training_host", "workbench"])
    error_message = "CI must not apply the stacks that are made on demand."
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The provider must accept only tokens for AWS."
  }
}

run "an_existing_identity_provider_is_not_created" {
  command = plan

  variables {
    github = { repository = "example/image-classifier", environment = "production", create_identity_provider = false }
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has one provider per host."
  }

  assert {
    condition     = output.ci_plan_role_arn == "arn:aws:iam::123456789012:role/access/image-classifier-dev-ci-plan"
    error_message = "The roles must be created."
  }
}

run "refuses_a_repository_with_a_wildcard" {
  command = plan

  variables {
    github = { repository = "example/*", environment = "production", create_identity_provider = true }
  }

  expect_failures = [var.github]
}

run "refuses_a_repository_without_a_protected_environment" {
  command = plan

  variables {
    github = { repository = "example/image-classifier", environment = "", create_identity_provider = true }
  }

  expect_failures = [var.github]
}

run "refuses_a_registry_that_is_no_account_id" {
  command = plan

  variables {
    image_account_id = "aws"
  }

  expect_failures = [var.image_account_id]
}
