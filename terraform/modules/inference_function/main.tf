# One function, published as a version behind the alias `live`, and the dead-letter queue of its asynchronous invocations.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  alias = "live"

  # Computed, so that it is known at plan.
  dead_letters_arn = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:${var.name}-dead-letters"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:the retention is the environment's choice; prod keeps a year
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:reserved concurrency takes from the account's pool, so it is the environment's choice
  #checkov:skip=CKV_AWS_116:a dead-letter queue is the default; the local environment goes without one to apply faster
  #checkov:skip=CKV_AWS_117:the function fetches images from allowed internet hosts and reaches AWS by its public endpoints
  #checkov:skip=CKV_AWS_272:the zip is built from this repository in the same run and its hash is part of the plan
  function_name    = var.name
  description      = "Classifies images${local.scheduled ? ", with scheduled provisioned concurrency" : ""}"
  role             = var.role_arn
  filename         = var.package.zip_path
  source_code_hash = filebase64sha256(var.package.zip_path)
  handler          = var.package.handler
  runtime          = var.package.runtime
  architectures    = [var.package.architecture]
  memory_size      = var.memory_mb
  timeout          = var.timeout_seconds
  kms_key_arn      = var.kms_key_arn
  publish          = true

  reserved_concurrent_executions = var.reserved_concurrency

  environment {
    variables = var.environment
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "dead_letter_config" {
    for_each = var.dead_letter_queue ? [local.dead_letters_arn] : []

    content {
      target_arn = dead_letter_config.value
    }
  }

  # Lambda would create the log group itself, unencrypted and without expiry; and it checks that the queue exists.
  depends_on = [aws_cloudwatch_log_group.this, aws_sqs_queue.dead_letters]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias
  description      = "Version that callers use"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version

  depends_on = [aws_lambda_provisioned_concurrency_config.version, terraform_data.scheduled]
}

# Events of asynchronous invocations that failed after all retries. Synchronous callers get the error directly.
resource "aws_sqs_queue" "dead_letters" {
  count                     = var.dead_letter_queue ? 1 : 0
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600 # 14 days, SQS's maximum
  kms_master_key_id         = var.kms_key_arn
}
