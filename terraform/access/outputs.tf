output "operator_role_arn" {
  description = "ARN of the operator's role: role_arn of an AWS profile."
  value       = module.operator_role.arn
}

output "ci_plan_role_arn" {
  description = "ARN of the role for jobs of pull requests and of main; empty without a repository."
  value       = join("", module.ci_plan_role[*].arn)
}

output "ci_apply_role_arn" {
  description = "ARN of the role for jobs of the protected environment; empty without a repository."
  value       = join("", module.ci_apply_role[*].arn)
}

output "boundary_arn" {
  description = "ARN of the permissions boundary of every role of the environment."
  value       = local.policy_values.boundary_arn
  depends_on  = [aws_iam_policy.boundary]
}
