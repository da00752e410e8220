output "topic_arn" {
  description = "ARN of the topic."
  value       = local.topic_arn
}

output "rule_names" {
  description = "Names of the rules that report failed jobs."
  value       = [for rule in aws_cloudwatch_event_rule.failed_job : rule.name]
}
