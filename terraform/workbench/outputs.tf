output "handover" {
  description = "Names and ARNs that the tasks need."
  value       = local.handover
  depends_on  = [aws_ssm_parameter.handover]
}

output "handover_parameter" {
  description = "SSM parameter that holds them as JSON."
  value       = aws_ssm_parameter.handover.name
}
