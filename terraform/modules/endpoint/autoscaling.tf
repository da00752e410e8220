# Autoscaling. Target tracking scales out after 3 minutes above the target and in after 15 minutes below it.

locals {
  scaled    = local.scales ? toset(keys(local.shares)) : toset([])
  namespace = "sagemaker"
  dimension = "sagemaker:variant:DesiredInstanceCount"

  asynchronous   = var.hosting.asynchronous != null
  by_concurrency = !local.asynchronous && var.autoscaling.target_concurrent_requests_per_model != null
  metric         = local.asynchronous ? "backlog" : local.by_concurrency ? "concurrency" : "invocations"
  target = {
    backlog     = var.autoscaling.target_backlog_per_instance
    concurrency = var.autoscaling.target_concurrent_requests_per_model
    invocations = var.autoscaling.target_invocations_per_instance
  }[local.metric]

  schedules = {
    for pair in setproduct(local.scaled, var.autoscaling.schedules) :
    "${pair[0]}/${pair[1].name}" => merge(pair[1], { variant = pair[0] })
  }
}

# SageMaker neither removes nor changes the instance type of a variant with a scalable target. This resource stands between
# the endpoint and its targets, so replacing it orders the steps: deregister, update the endpoint, register again.
resource "terraform_data" "scaled_variants" {
  triggers_replace = { for name in keys(local.shares) : name => local.instance_type }
}

# Schedules change the targets' bounds, so Terraform sets them only when the variables change.
resource "terraform_data" "scaling_bounds" {
  triggers_replace = [var.autoscaling.min_capacity, var.autoscaling.max_capacity]
}

resource "aws_appautoscaling_target" "this" {
  for_each = local.scaled

  service_namespace  = local.namespace
  resource_id        = "endpoint/${aws_sagemaker_endpoint.this.name}/variant/${each.key}"
  scalable_dimension = local.dimension
  min_capacity       = var.autoscaling.min_capacity
  max_capacity       = var.autoscaling.max_capacity

  lifecycle {
    ignore_changes       = [min_capacity, max_capacity]
    replace_triggered_by = [terraform_data.scaled_variants, terraform_data.scaling_bounds]
  }
}

resource "aws_appautoscaling_policy" "this" {
  for_each = aws_appautoscaling_target.this

  name               = "${var.name}-${local.metric}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = local.target
    scale_in_cooldown  = var.autoscaling.scale_in_cooldown
    scale_out_cooldown = var.autoscaling.scale_out_cooldown

    dynamic "predefined_metric_specification" {
      for_each = local.asynchronous ? [] : [local.metric]

      content {
        predefined_metric_type = (
          local.by_concurrency
          ? "SageMakerVariantConcurrentRequestsPerModelHighResolution"
          : "SageMakerVariantInvocationsPerInstance"
        )
      }
    }

    dynamic "customized_metric_specification" {
      for_each = local.asynchronous ? [local.metric] : []

      content {
        namespace   = "AWS/SageMaker"
        metric_name = "ApproximateBacklogSizePerInstance"
        statistic   = "Average"

        dimensions {
          name  = "EndpointName"
          value = var.name
        }
      }
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.scaled_variants, terraform_data.scaling_bounds]
  }
}

resource "aws_appautoscaling_scheduled_action" "this" {
  for_each = local.schedules

  name               = each.value.name
  service_namespace  = aws_appautoscaling_target.this[each.value.variant].service_namespace
  resource_id        = aws_appautoscaling_target.this[each.value.variant].resource_id
  scalable_dimension = aws_appautoscaling_target.this[each.value.variant].scalable_dimension
  schedule           = each.value.schedule
  timezone           = each.value.timezone

  scalable_target_action {
    min_capacity = each.value.min_capacity
    max_capacity = each.value.max_capacity
  }

  lifecycle {
    replace_triggered_by = [terraform_data.scaled_variants, terraform_data.scaling_bounds]
  }
}

# Without an instance there is no backlog per instance to track, so the first waiting request starts one.
resource "aws_appautoscaling_policy" "from_zero" {
  for_each = local.asynchronous && var.autoscaling.min_capacity == 0 ? aws_appautoscaling_target.this : {}

  name               = "${var.name}-from-zero"
  policy_type        = "StepScaling"
  service_namespace  = each.value.service_namespace
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Average"
    cooldown                = var.autoscaling.scale_out_cooldown

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.scaled_variants, terraform_data.scaling_bounds]
  }
}

resource "aws_cloudwatch_metric_alarm" "from_zero" {
  for_each = aws_appautoscaling_policy.from_zero

  alarm_name          = "${var.name}-${each.key}-backlog-without-capacity"
  alarm_description   = "Requests wait for ${var.name}, which has no instance: start one."
  namespace           = "AWS/SageMaker"
  metric_name         = "HasBacklogWithoutCapacity"
  statistic           = "Average"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "missing"
  alarm_actions       = [each.value.arn]

  dimensions = {
    EndpointName = var.name
  }
}
