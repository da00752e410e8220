mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
}

variables {
  endpoint_name = "image-classifier-dev"
  function_name = "image-classifier-dev-inference"
  topic_arn     = "arn:aws:sns:us-east-1:123456789012:image-classifier-dev-alarms"
}

run "alarm_names_are_known_at_plan" {
  command = plan

  assert {
    condition     = length(output.alarm_names) == 6 && output.dashboard_name == "image-classifier-dev"
    error_message = "There must be six alarms and a dashboard."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.endpoint_latency.threshold == 2000000
    error_message = "SageMaker counts latency in microseconds."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.function_errors.alarm_actions == toset([var.topic_arn])
    error_message = "An alarm must notify the topic."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : length(widget.properties.metrics) > 0
    ])
    error_message = "Every widget must have a metric."
  }
}

run "without_silence_alarm_dashboard_and_topic" {
  command = plan

  variables {
    dashboard  = false
    topic_arn  = ""
    thresholds = { silent_minutes = 0 }
  }

  assert {
    condition = (
      length(aws_cloudwatch_dashboard.this) == 0 && length(aws_cloudwatch_metric_alarm.no_invocations) == 0
      && length(output.alarm_names) == 5 && output.dashboard_name == ""
    )
    error_message = "The alarm and the dashboard must be absent."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.function_errors.alarm_actions) == 0
    error_message = "Without a topic the alarms must have no action."
  }
}

run "refuses_an_error_rate_of_100_percent" {
  command = plan

  variables {
    thresholds = { endpoint_error_percent = 100 }
  }

  expect_failures = [var.thresholds]
}

run "refuses_a_latency_above_sagemakers_limit" {
  command = plan

  variables {
    thresholds = { endpoint_p99_ms = 60001 }
  }

  expect_failures = [var.thresholds]
}

run "refuses_a_duration_above_lambdas_limit" {
  command = plan

  variables {
    thresholds = { function_p99_ms = 0 }
  }

  expect_failures = [var.thresholds]
}

run "refuses_more_than_a_day_of_silence" {
  command = plan

  variables {
    thresholds = { silent_minutes = 1441 }
  }

  expect_failures = [var.thresholds]
}

run "refuses_an_empty_endpoint_name" {
  command = plan

  variables {
    endpoint_name = ""
  }

  expect_failures = [var.endpoint_name]
}

run "refuses_an_empty_function_name" {
  command = plan

  variables {
    function_name = ""
  }

  expect_failures = [var.function_name]
}
