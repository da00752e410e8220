# Alarms that watch only the fleet of the configuration that an update starts, and roll the update back.
#
# SageMaker rolls an update back if a rollback alarm is in ALARM, whichever fleet raised it. An alarm on the whole endpoint
# would therefore refuse every repair while the fleet to replace fails. SageMaker also publishes the metrics with dimension
# EndpointConfigName, so these alarms exclude the old fleet.

locals {
  guarded = var.deployment.rollback_thresholds == null ? toset([]) : toset([local.current.key])
  guards  = { for key in local.guarded : key => merge(local.guard, { EndpointConfigName = "${var.name}-${key}" }) }
  guard   = { EndpointName = var.name, VariantName = "AllTraffic" }

  # Alarms that were in ALARM before the update are left out of it. A plan without an update keeps those of the last one:
  # to change them would update the endpoint.
  rollback_alarm_names = local.unchanged && var.deployed.rollback_alarm_names != null ? var.deployed.rollback_alarm_names : concat(
    values(aws_cloudwatch_metric_alarm.new_fleet_errors)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.new_fleet_latency)[*].alarm_name,
    [for name in distinct(var.deployment.rollback_alarm_names) : name if !contains(var.deployed.alarms_in_alarm, name)],
  )
}

resource "aws_cloudwatch_metric_alarm" "new_fleet_errors" {
  for_each = local.guards

  alarm_name          = "${var.name}-${each.key}-5xx"
  alarm_description   = "More than ${var.deployment.rollback_thresholds.error_percent} % of the requests to configuration ${var.name}-${each.key} fail in its containers: rolls its deployment back."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.deployment.rollback_thresholds.error_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "rate"
    label       = "5XX in percent"
    expression  = "IF(requests > 0, 100 * errors / requests, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "Invocation5XXErrors", requests = "Invocations" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SageMaker"
        metric_name = metric_query.value
        dimensions  = each.value
        period      = 60
        stat        = "Sum"
      }
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_metric_alarm" "new_fleet_latency" {
  for_each = local.guards

  alarm_name          = "${var.name}-${each.key}-latency"
  alarm_description   = "The slowest 1 % of the requests to configuration ${var.name}-${each.key} take the model longer than ${var.deployment.rollback_thresholds.p99_ms} ms: rolls its deployment back."
  namespace           = "AWS/SageMaker"
  metric_name         = "ModelLatency"
  dimensions          = each.value
  extended_statistic  = "p99"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.deployment.rollback_thresholds.p99_ms * 1000 # microseconds
  treat_missing_data  = "notBreaching"

  lifecycle {
    create_before_destroy = true
  }
}
