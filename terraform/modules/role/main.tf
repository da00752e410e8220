# One role with all of its policies.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_role" "this" {
  #checkov:skip=CKV_AWS_61:the trust policy names this account, or a service acting for it; policies/checks refuses any other principal
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

# Separate documents: only some environments need them.
resource "aws_iam_role_policy" "further" {
  for_each = var.further_policies
  name     = "${var.name}-${each.key}"
  role     = aws_iam_role.this.name
  policy   = each.value
}

# Policies that several roles share.
resource "aws_iam_role_policy_attachment" "this" {
  for_each   = var.managed_policy_arns
  role       = aws_iam_role.this.name
  policy_arn = each.value
}
