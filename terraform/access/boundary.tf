# The permissions boundary of every role of the environment. Without it, a principal that manages roles could create one
# with all permissions.

resource "aws_iam_policy" "boundary" {
  name        = "${local.prefix}-boundary"
  path        = local.path
  description = "Boundary of the roles of ${local.prefix}"
  policy      = templatefile("${local.policies}/boundary.json", local.policy_values)
}
