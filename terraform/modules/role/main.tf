# One role with the policies that say all it may do.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_role" "this" {
  #checkov:skip=CKV_AWS_61:a trust policy names this account, or a service on its behalf; the rules in policies/checks refuse everybody
  name                 = var.name
  path                 = var.path
  description          = var.description
  assume_role_policy   = var.trust_policy
  permissions_boundary = var.boundary_arn == "" ? null : var.boundary_arn
}

resource "aws_iam_role_policy" "this" {
  name   = var.name
  role   = aws_iam_role.this.name
  policy = var.policy
}

# Apart, as what only some environments need.
resource "aws_iam_role_policy" "further" {
  for_each = var.further_policies
  name     = "${var.name}-${each.key}"
  role     = aws_iam_role.this.name
  policy   = each.value
}

# Policies that several roles have.
resource "aws_iam_role_policy_attachment" "this" {
  for_each   = var.managed_policy_arns
  role       = aws_iam_role.this.name
  policy_arn = each.value
}
