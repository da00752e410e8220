# What applying the stacks takes, one policy for each area: for the operator, and for CI in its protected environment, but
# for what a person asks for by hand.

locals {
  areas   = toset([for file in fileset("${local.policies}/stacks", "*.json") : trimsuffix(file, ".json")])
  by_hand = ["host", "workbench"]

  # Known at plan, and there before a role is given them.
  stack_policy_arns = {
    for area, policy in aws_iam_policy.stacks :
    area => "${local.iam}:policy${local.path}${local.prefix}-stacks-${area}"
  }
  ci_policy_arns = { for area, arn in local.stack_policy_arns : area => arn if !contains(local.by_hand, area) }
}

resource "aws_iam_policy" "stacks" {
  for_each    = local.areas
  name        = "${local.prefix}-stacks-${each.key}"
  path        = local.path
  description = "Applying the stacks of ${local.prefix}: ${each.key}"
  policy      = templatefile("${local.policies}/stacks/${each.key}.json", local.policy_values)
}
