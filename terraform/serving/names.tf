# The foundation stack's outputs, and names computed from inputs.

data "aws_partition" "current" {}

data "aws_ssm_parameter" "foundation" {
  name = "/${var.project}/${var.environment}/foundation"
}

locals {
  foundation = jsondecode(data.aws_ssm_parameter.foundation.insecure_value)
  account_id = local.foundation.account_id
  partition  = data.aws_partition.current.partition

  function_name = "${var.endpoint_name}-inference"
  function_arn  = "arn:${local.partition}:lambda:${var.region}:${local.account_id}:function:${local.function_name}"
  queue_arn     = "arn:${local.partition}:sqs:${var.region}:${local.account_id}:${local.function_name}-dead-letters"
}
