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

run "alarms_are_known_before_what_they_watch" {
  command = plan

  assert {
    condition     = output.rollback_alarm_names == tolist(["image-classifier-dev-5xx", "image-classifier-dev-latency"])
    error_message = "A deployment is rolled back by errors and by latency."
  }

  assert {
    condition     = length(output.alarm_names) == 6 && output.dashboard_name == "image-classifier-dev"
    error_message = "There are six alarms and a dashboard."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.endpoint_latency.threshold == 2000000
    error_message = "SageMaker counts latency in microseconds."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.function_errors.alarm_actions == toset([var.topic_arn])
    error_message = "An alarm tells the topic."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : length(widget.properties.metrics) > 0
    ])
    error_message = "Every widget shows something."
  }
}

run "silence_dashboard_and_topic_can_be_left_out" {
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
    error_message = "What is not wanted is not made."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.function_errors.alarm_actions) == 0
    error_message = "Without a topic nobody is told."
  }
}

run "more_than_all_errors_is_refused" {
  command = plan

  variables {
    thresholds = { endpoint_error_percent = 100 }
  }

  expect_failures = [var.thresholds]
}

run "a_latency_that_no_model_may_have_is_refused" {
  command = plan

  variables {
    thresholds = { endpoint_p99_ms = 60001 }
  }

  expect_failures = [var.thresholds]
}

run "a_duration_that_no_function_may_have_is_refused" {
  command = plan

  variables {
    thresholds = { function_p99_ms = 0 }
  }

  expect_failures = [var.thresholds]
}

run "more_than_a_day_of_silence_is_refused" {
  command = plan

  variables {
    thresholds = { silent_minutes = 1441 }
  }

  expect_failures = [var.thresholds]
}

run "an_endpoint_without_a_name_is_refused" {
  command = plan

  variables {
    endpoint_name = ""
  }

  expect_failures = [var.endpoint_name]
}

run "a_function_without_a_name_is_refused" {
  command = plan

  variables {
    function_name = ""
  }

  expect_failures = [var.function_name]
}
