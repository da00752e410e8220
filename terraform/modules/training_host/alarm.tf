# Ends an idle host from outside: its script has finished, hangs, or was forgotten.

resource "aws_cloudwatch_metric_alarm" "idle" {
  count               = var.lifetime.idle_minutes > 0 ? 1 : 0
  alarm_name          = "${var.name}-idle"
  alarm_description   = "${var.name} has used less than ${var.lifetime.idle_cpu_percent} % of its CPU for ${var.lifetime.idle_minutes} minutes: ${var.lifetime.on_idle} it."
  namespace           = "AWS/EC2"
  metric_name         = "CPUUtilization"
  dimensions          = { InstanceId = aws_instance.this.id }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = var.lifetime.idle_minutes / 5
  comparison_operator = "LessThanThreshold"
  threshold           = var.lifetime.idle_cpu_percent
  treat_missing_data  = "missing" # without data there is no host to end
  alarm_actions = concat(
    ["arn:${data.aws_partition.current.partition}:automate:${data.aws_region.current.name}:ec2:${var.lifetime.on_idle}"],
    var.lifetime.notify_topic_arns,
  )
}
