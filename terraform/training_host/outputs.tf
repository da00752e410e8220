# The stack's outputs, also in SSM: the Python tasks read them there and never read this state.

locals {
  outputs = {
    name                         = module.training_host.name
    job                          = var.host.job
    instance_id                  = module.training_host.instance_id
    instance_type                = module.training_host.instance_type
    image_id                     = module.training_host.image_id
    spot                         = var.host.spot
    idle_alarm                   = module.training_host.idle_alarm
    instance_connect_endpoint_id = module.training_host.instance_connect_endpoint_id
    log_group                    = local.foundation.ec2_log_group
  }
}

resource "aws_ssm_parameter" "outputs" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/training_host"
  description = "Outputs of the training host's stack, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.outputs)
}

output "stack_outputs" {
  description = "Names and ids that the tasks need."
  value       = local.outputs
  depends_on  = [aws_ssm_parameter.outputs]
}

output "parameter" {
  description = "SSM parameter that holds the outputs as JSON."
  value       = aws_ssm_parameter.outputs.name
}
