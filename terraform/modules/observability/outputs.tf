output "rollback_alarm_names" {
  description = "Names of the alarms that should roll back an update of the endpoint."
  value       = local.endpoint_alarms
}

output "alarm_names" {
  description = "Names of all alarms."
  value = concat(
    local.endpoint_alarms,
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
