# What the foundation handed over, and names computed from inputs.

data "aws_partition" "current" {}

data "aws_ssm_parameter" "foundation" {
  name = "/${var.project}/${var.environment}/foundation"
}

locals {
  foundation = jsondecode(data.aws_ssm_parameter.foundation.insecure_value)
  account_id = local.foundation.account_id
  partition  = data.aws_partition.current.partition
  prefix     = local.foundation.prefix
  policies   = "${path.module}/../../policies"

  host_name      = "${local.prefix}-host"
  workbench_name = "${local.prefix}-workbench"

  # What the documents in policies/ may refer to.
  policy_values = {
    account_id      = local.account_id
    bucket_arn      = local.foundation.bucket_arn
    environment     = var.environment
    kms_key_arn     = local.foundation.kms_key_arn
    partition       = local.partition
    prefix          = local.prefix
    project         = var.project
    region          = var.region
    tuning_role_arn = local.foundation.tuning_role_arn
  }
}
