# What is kept warm. Lambda keeps warm a version or an alias of it, never both; so whether a schedule does it is part of
# the function's description, and a change of that makes a new version, which nothing keeps warm yet.

locals {
  scheduled = length(var.schedules) > 0
}

# On the version, and before the alias moves to it: callers never meet a cold or a broken one.
resource "aws_lambda_provisioned_concurrency_config" "version" {
  count                             = !local.scheduled && var.provisioned_concurrency > 0 ? 1 : 0
  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_function.this.version
  provisioned_concurrent_executions = var.provisioned_concurrency

  lifecycle {
    create_before_destroy = true
  }
}

moved {
  from = aws_lambda_provisioned_concurrency_config.this
  to   = aws_lambda_provisioned_concurrency_config.version
}

# Replaced between the alias and what keeps it warm: the latter ends before the alias moves to a version that is warm.
resource "terraform_data" "scheduled" {
  triggers_replace = local.scheduled
}

# On the alias, so that what a schedule has set survives a new version; that one warms up after the alias has moved.
resource "aws_lambda_provisioned_concurrency_config" "alias" {
  count                             = local.scheduled ? 1 : 0
  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency

  lifecycle {
    ignore_changes = [provisioned_concurrent_executions]
  }
}

# The bounds of a target are its schedules' to change, so Terraform sets them only when they are set anew.
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

  # Both bounds: nothing follows the load between them.
  scalable_target_action {
    min_capacity = each.value.provisioned_concurrency
    max_capacity = each.value.provisioned_concurrency
  }

  lifecycle {
    replace_triggered_by = [terraform_data.provisioned_concurrency]
  }
}
