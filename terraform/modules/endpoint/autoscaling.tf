# Instances follow the load: the alarms react after 3 minutes over the target, and 15 under it.

# SageMaker changes the instance type of no variant that is registered to scale. Replacing this between the
# endpoint and its scaling orders the steps: deregister, update the endpoint, register again.
resource "terraform_data" "scalable_instance_type" {
  triggers_replace = var.instance_type
}

resource "aws_appautoscaling_target" "this" {
  count              = var.autoscaling.enabled ? 1 : 0
  service_namespace  = "sagemaker"
  resource_id        = "endpoint/${aws_sagemaker_endpoint.this.name}/variant/${local.variant_name}"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  min_capacity       = var.autoscaling.min_capacity
  max_capacity       = var.autoscaling.max_capacity

  lifecycle {
    replace_triggered_by = [terraform_data.scalable_instance_type]
  }
}

resource "aws_appautoscaling_policy" "this" {
  count              = var.autoscaling.enabled ? 1 : 0
  name               = "${var.name}-invocations"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling.target_invocations_per_instance
    scale_in_cooldown  = var.autoscaling.scale_in_cooldown
    scale_out_cooldown = var.autoscaling.scale_out_cooldown

    predefined_metric_specification {
      predefined_metric_type = "SageMakerVariantInvocationsPerInstance"
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.scalable_instance_type]
  }
}
