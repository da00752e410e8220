# The most that any role of the environment can be given, whoever writes its policies: without it, whoever keeps roles
# could make one that may do everything.

resource "aws_iam_policy" "boundary" {
  name        = "${local.prefix}-boundary"
  path        = local.path
  description = "Boundary of the roles of ${local.prefix}"
  policy      = templatefile("${local.policies}/boundary.json", local.policy_values)
}
