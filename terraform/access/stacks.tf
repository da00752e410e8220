# Permissions to apply the stacks, one managed policy per area, and to sweep up what they and others left. The operator's
# role has all of them; CI's role has those of the stacks that are not made on demand, and does not sweep.

locals {
  areas     = toset([for file in fileset("${local.policies}/stacks", "*.json") : trimsuffix(file, ".json")])
  on_demand = ["sweep", "training_host", "workbench"]

  # Known at plan; refers to the policies, so that a role waits for them.
  stack_policy_arns = {
    for area, policy in aws_iam_policy.stacks :
    area => "${local.iam}:policy${local.path}${local.prefix}-stacks-${area}"
  }
  ci_policy_arns = { for area, arn in local.stack_policy_arns : area => arn if !contains(local.on_demand, area) }
}

resource "aws_iam_policy" "stacks" {
  for_each    = local.areas
  name        = "${local.prefix}-stacks-${each.key}"
  path        = local.path
  description = "Applying the stacks of ${local.prefix}: ${each.key}"
  policy      = templatefile("${local.policies}/stacks/${each.key}.json", local.policy_values)
}
