# One function, published as a version behind the alias `live`, some of it kept warm.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  alias = "live"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  function_name    = var.name
  description      = "Answers with the classes of a picture"
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

  environment {
    variables = var.environment
  }

  # Lambda would make the group itself, unencrypted and for ever.
  depends_on = [aws_cloudwatch_log_group.this]
}

# On the version, and before the alias moves to it: callers never meet a cold or a broken one.
resource "aws_lambda_provisioned_concurrency_config" "this" {
  count                             = var.provisioned_concurrency > 0 ? 1 : 0
  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_function.this.version
  provisioned_concurrent_executions = var.provisioned_concurrency

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lambda_alias" "live" {
  name             = local.alias
  description      = "The version that callers use"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version

  depends_on = [aws_lambda_provisioned_concurrency_config.this]
}
