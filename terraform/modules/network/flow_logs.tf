# A record of accepted and rejected traffic.

resource "aws_cloudwatch_log_group" "flow_logs" {
  count             = var.flow_logs.enabled ? 1 : 0
  name              = var.flow_logs.log_group_name
  retention_in_days = var.flow_logs.retention_days
  kms_key_id        = var.flow_logs.kms_key_arn
}

resource "aws_flow_log" "this" {
  count                    = var.flow_logs.enabled ? 1 : 0
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flow_logs[0].arn
  iam_role_arn             = var.flow_logs.role_arn
  max_aggregation_interval = 600

  tags = {
    Name = var.name
  }
}
