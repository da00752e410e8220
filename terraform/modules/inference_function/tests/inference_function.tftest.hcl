# What the module creates by default and by each choice. No account: every AWS call is mocked.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { version = "7" }
  }

  mock_resource "aws_lambda_alias" {
    defaults = { invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/alias/invocations" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:image-classifier-dev-inference-dead-letters" }
  }

  mock_resource "aws_lambda_function_url" {
    defaults = { function_url = "https://id.lambda-url.eu-west-1.on.aws/" }
  }

  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "api", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api" }
  }

  mock_resource "aws_apigatewayv2_stage" {
    defaults = { invoke_url = "https://api.execute-api.eu-west-1.amazonaws.com/" }
  }
}

variables {
  name        = "image-classifier-dev-inference"
  role_arn    = "arn:aws:iam::123456789012:role/image-classifier-dev-inference"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  package     = { zip_path = "tests/inference_function.tftest.hcl" } # any file: its content does not matter here
}

run "defaults" {
  command = plan

  assert {
    condition = (
      aws_lambda_provisioned_concurrency_config.version[0].provisioned_concurrent_executions == 2
      && aws_lambda_provisioned_concurrency_config.version[0].qualifier == "7"
      && output.provisioned_qualifier == "7"
    )
    error_message = "The version must have a provisioned concurrency of 2 by default."
  }

  assert {
    condition = (
      length(aws_lambda_provisioned_concurrency_config.alias) == 0
      && length(aws_appautoscaling_target.this) == 0
      && aws_lambda_function.this.description == "Classifies images"
    )
    error_message = "Without schedules the alias must have no provisioned concurrency and no scalable target."
  }

  assert {
    condition     = aws_lambda_function.this.publish && output.alias == "live"
    error_message = "Provisioned concurrency needs a published version, and clients need an alias."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("tests/inference_function.tftest.hcl")
    error_message = "New code must publish a new version."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "By default there must be no reserved concurrency."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 365 && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "The log group must be encrypted and have a retention."
  }
}

run "dead_letter_queue_and_tracing_by_default" {
  command = plan

  assert {
    condition = (
      aws_sqs_queue.dead_letters[0].kms_master_key_id == var.kms_key_arn
      && aws_sqs_queue.dead_letters[0].message_retention_seconds == 14 * 86400
      && aws_lambda_function.this.dead_letter_config[0].target_arn == aws_sqs_queue.dead_letters[0].arn
      && output.dead_letter_queue == "image-classifier-dev-inference-dead-letters"
    )
    error_message = "Failed asynchronous events must go to an encrypted queue."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "Invocations must be traced by default."
  }
}

run "no_http_access_by_default" {
  command = plan

  assert {
    condition     = length(aws_lambda_function_url.this) + length(aws_apigatewayv2_api.this) + length(aws_lambda_permission.http_api) == 0
    error_message = "By default there must be no function URL and no HTTP API."
  }

  assert {
    condition     = output.function_url == null && output.http_api_url == null
    error_message = "The URLs must be null."
  }
}

run "without_provisioned_concurrency_queue_and_tracing" {
  command = plan

  variables {
    provisioned_concurrency = 0
    dead_letter_queue       = false
    tracing                 = false
  }

  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.version) == 0 && output.provisioned_qualifier == null
    error_message = "There must be no provisioned concurrency."
  }

  assert {
    condition     = length(aws_sqs_queue.dead_letters) == 0 && length(aws_lambda_function.this.dead_letter_config) == 0
    error_message = "There must be no dead-letter queue."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "PassThrough"
    error_message = "Invocations must not be traced."
  }
}

run "schedules_set_provisioned_concurrency_on_the_alias" {
  command = plan

  variables {
    provisioned_concurrency = 1
    reserved_concurrency    = 8

    schedules = [
      { name = "day", schedule = "cron(45 7 ? * MON-FRI *)", timezone = "Europe/Berlin", provisioned_concurrency = 8 },
      { name = "night", schedule = "cron(0 19 ? * MON-FRI *)", provisioned_concurrency = 1 },
    ]
  }

  assert {
    condition = (
      length(aws_lambda_provisioned_concurrency_config.version) == 0
      && aws_lambda_provisioned_concurrency_config.alias[0].qualifier == "live"
      && aws_lambda_provisioned_concurrency_config.alias[0].provisioned_concurrent_executions == 1
      && output.provisioned_qualifier == "live"
    )
    error_message = "With schedules the alias must have the provisioned concurrency, and the version none."
  }

  assert {
    condition = (
      aws_appautoscaling_target.this[0].resource_id == "function:image-classifier-dev-inference:live"
      && aws_appautoscaling_target.this[0].min_capacity == 1
      && aws_appautoscaling_target.this[0].max_capacity == 1
    )
    error_message = "Until the first schedule runs, provisioned_concurrency must apply."
  }

  assert {
    condition = (
      aws_appautoscaling_scheduled_action.this["day"].timezone == "Europe/Berlin"
      && aws_appautoscaling_scheduled_action.this["night"].timezone == "UTC"
      && aws_appautoscaling_scheduled_action.this["day"].scalable_target_action[0].min_capacity == "8"
      && aws_appautoscaling_scheduled_action.this["day"].scalable_target_action[0].max_capacity == "8"
    )
    error_message = "A schedule must set both bounds to its number, in its time zone."
  }

  assert {
    condition     = aws_lambda_function.this.description != "Classifies images"
    error_message = "Adding schedules must publish a new version, which has no provisioned concurrency."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 8
    error_message = "The reserved concurrency must be set."
  }
}

run "http_access_needs_iam" {
  command = plan

  variables {
    timeout_seconds = 20
    access = {
      function_url = true
      http_api     = { enabled = true, rate_limit = 5 }
    }
  }

  assert {
    condition = (
      aws_lambda_function_url.this[0].authorization_type == "AWS_IAM"
      && aws_lambda_function_url.this[0].qualifier == "live"
      && output.function_url == "https://id.lambda-url.eu-west-1.on.aws/"
    )
    error_message = "The function URL must belong to the alias and require IAM."
  }

  assert {
    condition     = aws_apigatewayv2_route.this[0].authorization_type == "AWS_IAM" && aws_apigatewayv2_route.this[0].route_key == "POST /"
    error_message = "The HTTP API must require IAM."
  }

  assert {
    condition = (
      aws_apigatewayv2_integration.this[0].payload_format_version == "2.0"
      && aws_apigatewayv2_integration.this[0].integration_uri == aws_lambda_alias.live.invoke_arn
      && aws_apigatewayv2_integration.this[0].timeout_milliseconds == 20000
    )
    error_message = "The HTTP API must call the alias in payload format 2.0, with the function's timeout."
  }

  assert {
    condition = (
      aws_apigatewayv2_stage.this[0].auto_deploy
      && aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_burst_limit == 20
      && aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_rate_limit == 5
    )
    error_message = "The HTTP API must have a burst limit and a rate limit."
  }

  assert {
    condition = (
      aws_lambda_permission.http_api[0].principal == "apigateway.amazonaws.com"
      && aws_lambda_permission.http_api[0].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:api/*/POST/"
      && aws_lambda_permission.http_api[0].qualifier == "live"
    )
    error_message = "Only this API's route may invoke the alias."
  }
}

run "http_api_timeout_is_at_most_30_seconds" {
  command = plan

  variables {
    timeout_seconds = 60
    access          = { http_api = { enabled = true } }
  }

  assert {
    condition     = aws_apigatewayv2_integration.this[0].timeout_milliseconds == 30000
    error_message = "API Gateway takes at most 30 s."
  }
}
