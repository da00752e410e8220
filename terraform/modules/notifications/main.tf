# One topic for everything that needs attention, and rules that publish failed jobs to it: no alarm covers those.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  topic_arn = "arn:${data.aws_partition.current.partition}:sns:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:${var.name}"

  # SageMaker's job events, and their fields for a job's name and status.
  events = {
    training = { type = "SageMaker Training Job State Change", name = "TrainingJobName", status = "TrainingJobStatus" }
    tuning   = { type = "SageMaker HyperParameter Tuning Job State Change", name = "HyperParameterTuningJobName", status = "HyperParameterTuningJobStatus" }
  }
}

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:encrypted; the ARN of the key is unknown at the first plan
  name              = var.name
  kms_master_key_id = var.kms_key_arn
  policy            = var.policy
}

# The owner of an address confirms it with the link in the first message.
resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.emails)
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_event_rule" "failed_job" {
  for_each    = local.events
  name        = "${var.name}-failed-${each.key}"
  description = "A ${each.key} job of ${var.job_name_prefix} has failed"

  event_pattern = jsonencode({
    source      = ["aws.sagemaker"]
    detail-type = [each.value.type]
    detail = {
      (each.value.name)   = [{ prefix = var.job_name_prefix }]
      (each.value.status) = ["Failed"]
    }
  })
}

resource "aws_cloudwatch_event_target" "topic" {
  for_each = aws_cloudwatch_event_rule.failed_job
  rule     = each.value.name
  arn      = aws_sns_topic.this.arn

  input_transformer {
    input_paths = {
      name   = "$.detail.${local.events[each.key].name}"
      reason = "$.detail.FailureReason"
      time   = "$.time"
    }
    input_template = "\"<name> failed at <time>: <reason>\""
  }
}
