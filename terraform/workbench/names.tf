# Names computed from inputs, and what the documents in policies/ may refer to.

data "aws_partition" "current" {}

locals {
  name     = "${local.foundation.prefix}-workbench"
  policies = "${path.module}/../../policies"

  policy_values = {
    account_id      = local.foundation.account_id
    bucket_arn      = local.foundation.bucket_arn
    environment     = var.environment
    kms_key_arn     = local.foundation.kms_key_arn
    partition       = data.aws_partition.current.partition
    prefix          = local.foundation.prefix
    project         = var.project
    region          = var.region
    tuning_role_arn = local.foundation.tuning_role_arn
  }
}
