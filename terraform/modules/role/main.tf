# One role with the one policy that says all it may do.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = var.description
  assume_role_policy = var.trust_policy
}

resource "aws_iam_role_policy" "this" {
  name   = var.name
  role   = aws_iam_role.this.name
  policy = var.policy
}
