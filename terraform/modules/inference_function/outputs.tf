output "name" {
  description = "Name of the function."
  value       = var.name
  depends_on  = [aws_lambda_function.this]
}

output "version" {
  description = "Version that the alias points to; a new version is known after the apply."
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

output "provisioned_concurrency" {
  description = "Provisioned concurrency; with schedules, the number until the first schedule runs."
  value       = var.provisioned_concurrency
}

output "provisioned_qualifier" {
  description = "Qualifier with provisioned concurrency: the version, or with schedules the alias; null: none."
  value = (
    local.scheduled ? local.alias
    : var.provisioned_concurrency > 0 ? aws_lambda_function.this.version
    : null
  )
  depends_on = [aws_lambda_provisioned_concurrency_config.version, aws_lambda_provisioned_concurrency_config.alias]
}

output "dead_letter_queue" {
  description = "Name of the dead-letter queue; null: none."
  value       = one(aws_sqs_queue.dead_letters[*].name)
}

output "function_url" {
  description = "Function URL of the alias, for requests signed for the service lambda; null: none."
  value       = one(aws_lambda_function_url.this[*].function_url)
}

output "http_api_url" {
  description = "URL of the HTTP API, for requests signed for the service execute-api; null: none."
  value       = one(aws_apigatewayv2_stage.this[*].invoke_url)
}
