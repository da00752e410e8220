# Provisioned concurrency. Lambda takes it on a version or on an alias of that version, never on both. The function's
# description names the choice, so that changing it publishes a new version, which has no provisioned concurrency yet.

locals {
  scheduled = length(var.schedules) > 0
}

# On the version, before the alias moves to it: callers see neither a cold start nor a version that fails to start.
resource "aws_lambda_provisioned_concurrency_config" "version" {
  count                             = !local.scheduled && var.provisioned_concurrency > 0 ? 1 : 0
  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_function.this.version
  provisioned_concurrent_executions = var.provisioned_concurrency

  lifecycle {
    create_before_destroy = true
  }
}

# Orders the switch to provisioned concurrency on the version: the alias loses its own before it moves.
resource "terraform_data" "scheduled" {
  triggers_replace = local.scheduled
}

# On the alias, so that the number of the last schedule survives a new version, which starts up after the alias has moved.
resource "aws_lambda_provisioned_concurrency_config" "alias" {
  count                             = local.scheduled ? 1 : 0
  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency

  lifecycle {
    ignore_changes = [provisioned_concurrent_executions]
  }
}

# Schedules change the target's bounds, so Terraform sets them only when the variable changes.
resource "terraform_data" "provisioned_concurrency" {
  triggers_replace = var.provisioned_concurrency
}

resource "aws_appautoscaling_target" "this" {
  count              = local.scheduled ? 1 : 0
  service_namespace  = "lambda"
  resource_id        = "function:${var.name}:${aws_lambda_provisioned_concurrency_config.alias[0].qualifier}"
  scalable_dimension = "lambda:function:ProvisionedConcurrency"
  min_capacity       = var.provisioned_concurrency
  max_capacity       = var.provisioned_concurrency

  lifecycle {
    ignore_changes       = [min_capacity, max_capacity]
    replace_triggered_by = [terraform_data.provisioned_concurrency]
  }
}

resource "aws_appautoscaling_scheduled_action" "this" {
  for_each           = { for action in var.schedules : action.name => action }
  name               = each.key
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  schedule           = each.value.schedule
  timezone           = each.value.timezone

  # Both bounds are equal: no policy scales between them.
  scalable_target_action {
    min_capacity = each.value.provisioned_concurrency
    max_capacity = each.value.provisioned_concurrency
  }

  lifecycle {
    replace_triggered_by = [terraform_data.provisioned_concurrency]
  }
}
