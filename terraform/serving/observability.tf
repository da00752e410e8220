# Alarms of the endpoint and its function, before both: the endpoint's updates are rolled back by two of them.

module "observability" {
  source        = "../modules/observability"
  endpoint_name = var.endpoint_name
  function_name = local.function_name
  topic_arn     = local.foundation.topic_arn
  dashboard     = var.observability.dashboard

  thresholds = {
    endpoint_error_percent = var.observability.endpoint_error_percent
    endpoint_p99_ms        = var.observability.endpoint_p99_ms
    function_error_percent = var.observability.function_error_percent
    function_p99_ms        = var.observability.function_p99_ms
    silent_minutes         = var.observability.silent_minutes
  }
}
