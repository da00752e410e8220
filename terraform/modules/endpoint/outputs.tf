output "name" {
  description = "Name of the endpoint, once it is in service and its scaling is set up."
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
  description = "Name of the endpoint configuration that this deployment makes live."
  value       = "${var.name}-${local.current.key}"
}

output "variants" {
  description = "ARN of the model package of each variant, a shadow variant included."
  value       = { for variant in local.current.variants : variant.name => variant.model_package_arn }
}

output "scaled_variants" {
  description = "Names of the variants with autoscaling."
  value       = sort(local.scaled)
}

output "instance_type" {
  description = "Instance type of the endpoint; null: serverless."
  value       = local.instance_type
}

output "capacity" {
  description = "Minimum and maximum number of instances of a variant; 0: serverless."
  value = {
    min = local.scales ? var.autoscaling.min_capacity : coalesce(local.initial_count, 0)
    max = local.scales ? var.autoscaling.max_capacity : coalesce(local.initial_count, 0)
  }
}

output "scheduled" {
  description = "Whether schedules change the capacity."
  value       = length(var.autoscaling.schedules) > 0
}

output "kept_configurations" {
  description = "The kept endpoint configurations, newest first: deployed.kept_configurations of the next deployment."
  value       = local.kept_configurations
  depends_on  = [aws_sagemaker_endpoint_configuration.this]
}

output "log_group" {
  description = "Log group of the endpoint's containers."
  value       = aws_cloudwatch_log_group.this.name
}
