# The stack's outputs, also in SSM: later stacks and the Python tasks read them there and never read this state.

locals {
  outputs = {
    endpoint_name           = module.endpoint.name
    endpoint_arn            = module.endpoint.arn
    endpoint_config_name    = module.endpoint.configuration_name
    endpoint_log_group      = module.endpoint.log_group
    model_package_arn       = var.model_package_arn
    variants                = module.endpoint.variants
    hosting                 = module.endpoint.kind
    instance_type           = module.endpoint.instance_type
    scaled_variants         = module.endpoint.scaled_variants
    min_capacity            = module.endpoint.capacity.min
    max_capacity            = module.endpoint.capacity.max
    scheduled               = module.endpoint.scheduled
    function_name           = one(module.inference_function[*].name)
    function_version        = one(module.inference_function[*].version)
    function_alias          = one(module.inference_function[*].alias)
    function_alias_arn      = one(module.inference_function[*].alias_arn)
    function_log_group      = one(module.inference_function[*].log_group)
    function_url            = one(module.inference_function[*].function_url)
    http_api_url            = one(module.inference_function[*].http_api_url)
    dead_letter_queue       = one(module.inference_function[*].dead_letter_queue)
    provisioned_concurrency = try(module.inference_function[0].provisioned_concurrency, 0)
    provisioned_qualifier   = one(module.inference_function[*].provisioned_qualifier)
  }
}

resource "aws_ssm_parameter" "outputs" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/serving/${var.endpoint_name}"
  description = "Outputs of the serving stack of ${var.endpoint_name}, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.outputs)
}

output "stack_outputs" {
  description = "Names and ARNs that later stacks and the tasks need."
  value       = local.outputs
  depends_on  = [aws_ssm_parameter.outputs]
}

output "parameter" {
  description = "SSM parameter that holds the outputs as JSON."
  value       = aws_ssm_parameter.outputs.name
}
