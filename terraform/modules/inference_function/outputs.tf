output "name" {
  description = "Name of the function."
  value       = var.name
  depends_on  = [aws_lambda_function.this]
}

output "version" {
  description = "Version that the alias points at; Lambda counts them, so a new one is known only after the apply."
  value       = aws_lambda_function.this.version
}

output "alias" {
  description = "Name of the alias that callers use."
  value       = local.alias
  depends_on  = [aws_lambda_alias.live]
}

output "alias_arn" {
  description = "ARN of the alias that callers use."
  value       = "arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:function:${var.name}:${local.alias}"
  depends_on  = [aws_lambda_alias.live]
}

output "log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.this.name
}
