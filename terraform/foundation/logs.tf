# All jobs of a kind of an account and region log to one group, so one environment owns it.
resource "aws_cloudwatch_log_group" "training" {
  #checkov:skip=CKV_AWS_338:the retention is the environment's choice; prod keeps a year
  count             = var.logs.manage_training_group ? 1 : 0
  name              = local.training_log_group
  retention_in_days = var.logs.retention_days
  kms_key_id        = module.key.arn
}

resource "aws_cloudwatch_log_group" "processing" {
  #checkov:skip=CKV_AWS_338:the retention is the environment's choice; prod keeps a year
  count             = var.logs.manage_processing_group ? 1 : 0
  name              = local.processing_log_group
  retention_in_days = var.logs.retention_days
  kms_key_id        = module.key.arn
}

resource "aws_cloudwatch_log_group" "ec2" {
  #checkov:skip=CKV_AWS_338:the retention is the environment's choice; prod keeps a year
  name              = local.ec2_log_group
  retention_in_days = var.logs.retention_days
  kms_key_id        = module.key.arn
}
