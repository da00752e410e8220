# Names and ARNs, computed from inputs so that every policy is known at plan.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  prefix     = "${var.project}-${var.environment}"

  bucket     = "${local.prefix}-${local.account_id}-${var.region}"
  bucket_arn = "arn:${local.partition}:s3:::${local.bucket}"

  topic     = "${local.prefix}-alarms"
  topic_arn = "arn:${local.partition}:sns:${var.region}:${local.account_id}:${local.topic}"

  training_log_group   = "/aws/sagemaker/TrainingJobs"
  processing_log_group = "/aws/sagemaker/ProcessingJobs"
  ec2_log_group        = "/${var.project}/${var.environment}/ec2"

  training_role_arn   = "arn:${local.partition}:iam::${local.account_id}:role/${local.prefix}-training"
  processing_role_arn = "arn:${local.partition}:iam::${local.account_id}:role/${local.prefix}-processing"

  # Values for the documents in policies/.
  policy_values = {
    account_id          = local.account_id
    bucket_arn          = local.bucket_arn
    environment         = var.environment
    image_account_id    = var.images.account_id
    partition           = local.partition
    prefix              = local.prefix
    processing_role_arn = local.processing_role_arn
    project             = var.project
    region              = var.region
    serving_repository  = var.images.serving_repository
    topic_arn           = local.topic_arn
    training_repository = var.images.training_repository
    training_role_arn   = local.training_role_arn
  }
}
