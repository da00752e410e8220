# What the Python tasks need to know of a workbench, as they never read this state; and whoever looks for the host, which
# they find by its tags, as these are there from its first moment. What is not there is not handed over.

locals {
  host = var.host.enabled ? {
    name                         = local.host_name
    job                          = var.host.job
    instance_id                  = module.training_host[0].instance_id
    instance_type                = var.host.instance_type
    image_id                     = module.training_host[0].image_id
    spot                         = var.host.spot
    idle_alarm                   = module.training_host[0].idle_alarm
    instance_connect_endpoint_id = module.training_host[0].instance_connect_endpoint_id
    log_group                    = local.foundation.ec2_log_group
  } : null

  workbench = var.workbench.enabled ? {
    name            = module.workbench[0].name
    kind            = var.workbench.kind
    instance_type   = var.workbench.instance_type
    internet_access = var.workbench.internet_access
    repository_uri  = var.workbench.repository_uri
    role_arn        = module.workbench_role[0].arn
    domain_id       = module.workbench[0].domain_id
    file_system_id  = module.workbench[0].file_system_id
  } : null
}

resource "aws_ssm_parameter" "host" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  count       = var.host.enabled ? 1 : 0
  name        = "/${var.project}/${var.environment}/workbench/host"
  description = "The training host, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.host)
}

resource "aws_ssm_parameter" "workbench" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  count       = var.workbench.enabled ? 1 : 0
  name        = "/${var.project}/${var.environment}/workbench/notebooks"
  description = "The place to work in notebooks, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.workbench)
}
