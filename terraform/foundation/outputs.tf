# The stack's outputs, also in SSM: later stacks and the Python tasks read them there and never read this state.

locals {
  outputs = {
    project                   = var.project
    environment               = var.environment
    region                    = var.region
    account_id                = local.account_id
    prefix                    = local.prefix
    bucket                    = module.storage.bucket
    bucket_arn                = local.bucket_arn
    kms_key_arn               = module.key.arn
    kms_key_alias             = module.key.alias
    training_role_arn         = module.training_role.arn
    processing_role_arn       = module.processing_role.arn
    tuning_role_arn           = module.tuning_role.arn
    endpoint_role_arn         = module.endpoint_role.arn
    ec2_host_role_arn         = module.ec2_host_role.arn
    ec2_host_instance_profile = module.ec2_host_role.name
    model_package_group_name  = local.prefix
    model_package_group_arn   = "arn:${local.partition}:sagemaker:${var.region}:${local.account_id}:model-package-group/${local.prefix}"
    training_log_group        = local.training_log_group
    processing_log_group      = local.processing_log_group
    ec2_log_group             = local.ec2_log_group
    topic_arn                 = module.notifications.topic_arn

    # Null: no private network.
    network = var.network.enabled ? {
      vpc_id                      = module.network[0].vpc_id
      subnet_ids                  = values(module.network[0].subnet_ids)
      training_security_group_ids = [module.network[0].training_security_group_id]
      serving_security_group_ids  = [module.network[0].serving_security_group_id]
    } : null
  }
}

resource "aws_ssm_parameter" "outputs" {
  #checkov:skip=CKV2_AWS_34:names and ARNs, no secret; a key would be one more permission for every reader
  name        = "/${var.project}/${var.environment}/foundation"
  description = "Outputs of the foundation stack, as JSON"
  type        = "String" # names and ARNs, no secret
  value       = jsonencode(local.outputs)

  # Written last and removed first.
  depends_on = [
    aws_cloudwatch_log_group.ec2,
    aws_cloudwatch_log_group.processing,
    aws_cloudwatch_log_group.training,
    aws_iam_instance_profile.ec2_host,
    aws_sagemaker_model_package_group.this,
  ]
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
