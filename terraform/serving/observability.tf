# Alarms of the endpoint and its function.

module "observability" {
  source        = "../modules/observability"
  endpoint_name = var.endpoint_name
  function_name = local.function_name
  topic_arn     = local.foundation.topic_arn
  dashboard     = var.observability.dashboard
  thresholds    = var.observability.thresholds
}
