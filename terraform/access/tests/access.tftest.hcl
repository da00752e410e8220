mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  environment = "dev"
  region      = "us-east-1"
}

run "an_operator_and_a_boundary_by_default" {
  command = plan

  assert {
    condition     = output.operator_role_arn == "arn:aws:iam::123456789012:role/access/image-classifier-dev-operator"
    error_message = "The operator's role is named after the environment, under a path of its own."
  }

  assert {
    condition     = output.ci_plan_role_arn == "" && output.ci_apply_role_arn == ""
    error_message = "Without a repository there are no roles of CI."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "Without a repository there is no identity provider."
  }

  assert {
    condition     = aws_iam_policy.boundary.path == "/access/" && output.boundary_arn == "arn:aws:iam::123456789012:policy/access/image-classifier-dev-boundary"
    error_message = "The boundary is out of reach of what may keep image-classifier-dev-*."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_policy.stacks)[*].policy, [aws_iam_policy.boundary.policy]) :
      length(replace(jsonencode(jsondecode(policy)), "\\u003e", ">")) <= 6144
    ])
    error_message = "A managed policy has at most 6,144 characters."
  }
}

run "ci_of_a_repository" {
  command = plan

  variables {
    github = { repository = "example/image-classifier", environment = "production" }
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
    condition     = setsubtract(keys(local.stack_policy_arns), keys(local.ci_policy_arns)) == toset(["host", "workbench"])
    error_message = "CI does not apply what a person asks for by hand."
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The provider must accept tokens for AWS only."
  }
}

run "an_identity_provider_that_is_there_is_not_made_again" {
  command = plan

  variables {
    github = { repository = "example/image-classifier", environment = "production", create_identity_provider = false }
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has one provider for each host."
  }

  assert {
    condition     = output.ci_plan_role_arn == "arn:aws:iam::123456789012:role/access/image-classifier-dev-ci-plan"
    error_message = "The roles are made all the same."
  }
}

run "a_repository_with_a_wildcard_is_refused" {
  command = plan

  variables {
    github = { repository = "example/*", environment = "production" }
  }

  expect_failures = [var.github]
}

run "no_protected_environment_is_refused" {
  command = plan

  variables {
    github = { repository = "example/image-classifier" }
  }

  expect_failures = [var.github]
}

run "a_registry_that_is_no_account_is_refused" {
  command = plan

  variables {
    image_account_id = "aws"
  }

  expect_failures = [var.image_account_id]
}
