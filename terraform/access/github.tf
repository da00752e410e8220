# GitHub Actions, with the OpenID Connect tokens of its jobs: no AWS key is stored there.

locals {
  github_host = "token.actions.githubusercontent.com"
  has_ci      = var.github.repository != "" ? 1 : 0
}

# An account has one provider per host, so one environment creates it.
resource "aws_iam_openid_connect_provider" "github" {
  count          = local.has_ci == 1 && var.github.create_identity_provider ? 1 : 0
  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}

# Read-only: a pull request's jobs run code that nobody has reviewed, and a plan of main waits for approval.
module "ci_plan_role" {
  count        = local.has_ci
  source       = "../modules/role"
  name         = "${local.prefix}-ci-plan"
  path         = local.path
  description  = "Plans pull requests and main of ${var.github.repository}, read-only"
  trust_policy = templatefile("${local.policies}/trust/github_pull_requests.json", local.policy_values)
  policy       = templatefile("${local.policies}/roles/ci_plan.json", local.policy_values)
}

module "ci_apply_role" {
  count               = local.has_ci
  source              = "../modules/role"
  name                = "${local.prefix}-ci-apply"
  path                = local.path
  description         = "Applies the stacks from the environment ${var.github.environment} of ${var.github.repository}"
  trust_policy        = templatefile("${local.policies}/trust/github_environment.json", local.policy_values)
  policy              = templatefile("${local.policies}/roles/ci_apply.json", local.policy_values)
  managed_policy_arns = local.ci_policy_arns
}
