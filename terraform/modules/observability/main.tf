# Alarms of one endpoint and the function in front of it, for people. They refer to names only. The alarms that roll back
# an update are in module endpoint: they watch one configuration.

locals {
  # Percentage of failed requests; 0 without requests.
  error_rate = "IF(requests > 0, 100 * errors / requests, 0)"
}

# ---- endpoint ----

resource "aws_cloudwatch_metric_alarm" "endpoint_errors" {
  alarm_name          = "${var.endpoint_name}-5xx"
  alarm_description   = "More than ${var.thresholds.endpoint_error_percent} % of the requests to ${var.endpoint_name} fail in its containers: see /aws/sagemaker/Endpoints/${var.endpoint_name}."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.endpoint_error_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions

  metric_query {
    id          = "rate"
    label       = "5XX in percent"
    expression  = local.error_rate
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "Invocation5XXErrors", requests = "Invocations" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SageMaker"
        metric_name = metric_query.value
        dimensions  = local.variant
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "endpoint_latency" {
  alarm_name          = "${var.endpoint_name}-latency"
  alarm_description   = "The slowest 1 % of the requests to ${var.endpoint_name} take the model longer than ${var.thresholds.endpoint_p99_ms} ms."
  namespace           = "AWS/SageMaker"
  metric_name         = "ModelLatency"
  dimensions          = local.variant
  extended_statistic  = "p99"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.endpoint_p99_ms * 1000 # microseconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# No traffic is a fault where clients are expected.
resource "aws_cloudwatch_metric_alarm" "no_invocations" {
  count               = var.thresholds.silent_minutes > 0 ? 1 : 0
  alarm_name          = "${var.endpoint_name}-no-invocations"
  alarm_description   = "${var.endpoint_name} has received no request for ${var.thresholds.silent_minutes} minutes."
  namespace           = "AWS/SageMaker"
  metric_name         = "Invocations"
  dimensions          = local.variant
  statistic           = "Sum"
  period              = var.thresholds.silent_minutes * 60
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# ---- function ----

resource "aws_cloudwatch_metric_alarm" "function_errors" {
  alarm_name          = "${var.function_name}-errors"
  alarm_description   = "More than ${var.thresholds.function_error_percent} % of the invocations of ${var.function_name} fail: see /aws/lambda/${var.function_name}."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.function_error_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions

  metric_query {
    id          = "rate"
    label       = "Errors in percent"
    expression  = local.error_rate
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "Errors", requests = "Invocations" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/Lambda"
        metric_name = metric_query.value
        dimensions  = local.function
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "function_latency" {
  alarm_name          = "${var.function_name}-latency"
  alarm_description   = "The slowest 1 % of the invocations of ${var.function_name} take longer than ${var.thresholds.function_p99_ms} ms."
  namespace           = "AWS/Lambda"
  metric_name         = "Duration"
  dimensions          = local.function
  extended_statistic  = "p99"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.function_p99_ms
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "function_throttles" {
  alarm_name          = "${var.function_name}-throttles"
  alarm_description   = "Lambda throttles invocations of ${var.function_name}: its concurrency, or the account's, is exhausted."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = local.function
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}
