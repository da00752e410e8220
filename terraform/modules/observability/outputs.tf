output "alarm_names" {
  description = "Names of all alarms."
  value = concat(
    [
      aws_cloudwatch_metric_alarm.endpoint_errors.alarm_name,
      aws_cloudwatch_metric_alarm.endpoint_latency.alarm_name,
    ],
    aws_cloudwatch_metric_alarm.no_invocations[*].alarm_name,
    [
      aws_cloudwatch_metric_alarm.function_errors.alarm_name,
      aws_cloudwatch_metric_alarm.function_latency.alarm_name,
      aws_cloudwatch_metric_alarm.function_throttles.alarm_name,
    ],
  )
}

output "dashboard_name" {
  description = "Name of the dashboard; empty: none."
  value       = var.dashboard ? var.endpoint_name : ""
}
