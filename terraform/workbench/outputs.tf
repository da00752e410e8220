# The stack's outputs, also in SSM: the Python tasks read them there and never read this state.

locals {
  outputs = {
    name            = module.workbench.name
    kind            = module.workbench.kind
    instance_type   = module.workbench.instance_type
    internet_access = module.workbench.internet_access
    repository_uri  = module.workbench.repository_uri
    role_arn        = module.workbench_role.arn
    domain_id       = module.workbench.domain_id
    file_system_id  = module.workbench.file_system_id
  }
}

resource "aws_ssm_parameter" "outputs" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/workbench"
  description = "Outputs of the workbench's stack, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.outputs)
}

output "stack_outputs" {
  description = "Names and ARNs that the tasks need."
  value       = local.outputs
  depends_on  = [aws_ssm_parameter.outputs]
}

output "parameter" {
  description = "SSM parameter that holds the outputs as JSON."
  value       = aws_ssm_parameter.outputs.name
}
