output "handover" {
  description = "Names and ARNs that the tasks need; null where there is no host, or no workbench."
  value       = { host = local.host, workbench = local.workbench }
  depends_on  = [aws_ssm_parameter.host, aws_ssm_parameter.workbench]
}

output "handover_parameters" {
  description = "SSM parameters that hold them as JSON."
  value       = concat(aws_ssm_parameter.host[*].name, aws_ssm_parameter.workbench[*].name)
}
