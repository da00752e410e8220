# Names and ARNs, computed from the foundation's inputs: these roles exist before the foundation.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  prefix     = "${var.project}-${var.environment}"
  iam        = "arn:${local.partition}:iam::${local.account_id}"
  policies   = "${path.module}/../../policies"

  # Policies that allow managing ${local.prefix}-* do not cover this path.
  path = "/access/"

  # Values for the documents in policies/.
  policy_values = {
    account_id            = local.account_id
    boundary_arn          = "${local.iam}:policy${local.path}${local.prefix}-boundary"
    bucket_arn            = "arn:${local.partition}:s3:::${local.prefix}-${local.account_id}-${var.region}"
    environment           = var.environment
    github_environment    = var.github.environment
    identity_provider_arn = "${local.iam}:oidc-provider/${local.github_host}"
    image_account_id      = var.image_account_id
    partition             = local.partition
    prefix                = local.prefix
    project               = var.project
    region                = var.region
    repository            = var.github.repository
    state_bucket_arn      = "arn:${local.partition}:s3:::${var.project}-tfstate-${local.account_id}-${var.region}"
    processing_role_arn   = "${local.iam}:role/${local.prefix}-processing"
    training_role_arn     = "${local.iam}:role/${local.prefix}-training"
    tuning_role_arn       = "${local.iam}:role/${local.prefix}-tuning"
  }
}
