output "name" {
  description = "Name of the endpoint, once it is in service and scales."
  value       = var.name
  depends_on  = [aws_sagemaker_endpoint.this, aws_appautoscaling_policy.this]
}

output "arn" {
  description = "ARN of the endpoint."
  value       = "arn:${data.aws_partition.current.partition}:sagemaker:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:endpoint/${lower(var.name)}"
}

output "configuration_name" {
  description = "Name of the endpoint configuration that should be live."
  value       = local.configuration_name
}

output "model_name" {
  description = "Name of the SageMaker model."
  value       = local.model_name
}

output "variant_name" {
  description = "Name of the one production variant."
  value       = local.variant_name
}

output "capacity" {
  description = "Fewest and most instances the endpoint may have."
  value = {
    min = var.autoscaling.enabled ? var.autoscaling.min_capacity : var.initial_instance_count
    max = var.autoscaling.enabled ? var.autoscaling.max_capacity : var.initial_instance_count
  }
}

output "log_group" {
  description = "Log group of the endpoint's containers."
  value       = aws_cloudwatch_log_group.this.name
}
