output "name" {
  description = "Name of the role, once its permissions are attached."
  value       = var.name
  depends_on  = [aws_iam_role_policy.this, aws_iam_role_policy.further, aws_iam_role_policy_attachment.this]
}

output "arn" {
  description = "ARN of the role, once its permissions are attached."
  value       = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role${var.path}${var.name}"
  depends_on  = [aws_iam_role_policy.this, aws_iam_role_policy.further, aws_iam_role_policy_attachment.this]
}

output "trust_policy" {
  description = "Trust policy of the role, as given."
  value       = var.trust_policy
}
