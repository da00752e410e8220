# What the Python tasks need to know; they never read this state.

locals {
  handover = {
    endpoint_name           = module.endpoint.name
    endpoint_arn            = module.endpoint.arn
    endpoint_config_name    = module.endpoint.configuration_name
    endpoint_log_group      = module.endpoint.log_group
    model_name              = module.endpoint.model_name
    model_package_arn       = var.model_package_arn
    variant_name            = module.endpoint.variant_name
    instance_type           = var.instance_type
    initial_instance_count  = var.initial_instance_count
    autoscaling_enabled     = var.autoscaling.enabled
    min_capacity            = module.endpoint.capacity.min
    max_capacity            = module.endpoint.capacity.max
    function_name           = module.inference_function.name
    function_version        = module.inference_function.version
    function_alias          = module.inference_function.alias
    function_alias_arn      = module.inference_function.alias_arn
    function_log_group      = module.inference_function.log_group
    provisioned_concurrency = var.lambda.provisioned_concurrency
  }
}

resource "aws_ssm_parameter" "handover" {
  name        = "/${var.project}/${var.environment}/serving/${var.endpoint_name}"
  description = "Outputs of the serving stack of ${var.endpoint_name}, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.handover)
}
