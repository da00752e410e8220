output "name" {
  description = "Name of the endpoint, once it is in service and scales."
  value       = var.name
  depends_on  = [aws_sagemaker_endpoint.this, aws_appautoscaling_policy.this]
}

output "arn" {
  description = "ARN of the endpoint."
  value       = "arn:${data.aws_partition.current.partition}:sagemaker:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:endpoint/${lower(var.name)}"
}

output "kind" {
  description = "How the endpoint serves: instance, serverless or asynchronous."
  value       = one([for kind, settings in var.hosting : kind if settings != null])
}

output "configuration_name" {
  description = "Name of the endpoint configuration that should be live."
  value       = "${var.name}-${local.current.key}"
}

output "variants" {
  description = "ARN of the model package behind each variant, a shadow variant included."
  value       = { for variant in local.current.variants : variant.name => variant.model_package_arn }
}

output "scaled_variants" {
  description = "Names of the variants that scale."
  value       = sort(local.scaled)
}

output "instance_type" {
  description = "Type of the endpoint's instances; null if it is serverless."
  value       = local.instance_type
}

output "capacity" {
  description = "Fewest and most instances that a variant may have; 0 if the endpoint is serverless."
  value = {
    min = local.scales ? var.autoscaling.min_capacity : coalesce(local.initial_count, 0)
    max = local.scales ? var.autoscaling.max_capacity : coalesce(local.initial_count, 0)
  }
}

output "generations" {
  description = "The configurations that are kept, newest first, for var.deployed of the next deployment."
  value       = local.generations
  depends_on  = [aws_sagemaker_endpoint_configuration.this]
}

output "log_group" {
  description = "Log group of the endpoint's containers."
  value       = aws_cloudwatch_log_group.this.name
}
