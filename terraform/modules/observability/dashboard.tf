# One dashboard: what clients see, what the endpoint does, how it scales.

locals {
  widgets = [
    {
      title = "Callers: invocations, errors, throttles"
      metrics = [
        for name in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", name, "FunctionName", var.function_name, { stat = "Sum" }]
      ]
    },
    {
      title = "Callers: duration in ms"
      metrics = [
        for stat in ["p50", "p99"] : ["AWS/Lambda", "Duration", "FunctionName", var.function_name, { stat = stat, label = stat }]
      ]
    },
    {
      title = "Function: concurrency"
      metrics = [
        for name in ["ConcurrentExecutions", "ProvisionedConcurrentExecutions", "ProvisionedConcurrencySpilloverInvocations"] :
        ["AWS/Lambda", name, "FunctionName", var.function_name, { stat = "Maximum" }]
      ]
    },
    {
      title = "Endpoint: invocations and errors"
      metrics = [
        for name in ["Invocations", "Invocation4XXErrors", "Invocation5XXErrors"] :
        concat(["AWS/SageMaker", name], local.variant_dimensions, [{ stat = "Sum" }])
      ]
    },
    {
      title = "Endpoint: model and overhead latency in µs"
      metrics = [
        for pair in setproduct(["ModelLatency", "OverheadLatency"], ["p50", "p99"]) :
        concat(["AWS/SageMaker", pair[0]], local.variant_dimensions, [{ stat = pair[1], label = join(" ", pair) }])
      ]
    },
    {
      title   = "Endpoint: invocations per instance and minute"
      metrics = [concat(["AWS/SageMaker", "InvocationsPerInstance"], local.variant_dimensions, [{ stat = "Sum" }])]
    },
    {
      title = "Instances: CPU and memory in percent"
      metrics = [
        for name in ["CPUUtilization", "MemoryUtilization"] :
        concat(["/aws/sagemaker/Endpoints", name], local.variant_dimensions, [{ stat = "Average" }])
      ]
    },
  ]
  variant_dimensions = ["EndpointName", var.endpoint_name, "VariantName", var.variant_name]
}

resource "aws_cloudwatch_dashboard" "this" {
  count          = var.dashboard ? 1 : 0
  dashboard_name = var.endpoint_name

  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = index % 2 * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = data.aws_region.current.name
          view    = "timeSeries"
          period  = 60
          metrics = widget.metrics
        }
      }
    ]
  })
}
