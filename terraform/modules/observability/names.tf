# Dimensions of the metrics, and the alarms' actions.

data "aws_region" "current" {}

locals {
  actions  = var.topic_arn == "" ? [] : [var.topic_arn]
  function = { FunctionName = var.function_name }
  variant  = { EndpointName = var.endpoint_name, VariantName = var.variant_name }
}
