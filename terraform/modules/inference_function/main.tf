# One function, published as a version behind the alias `live`, some of it kept warm.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  alias = "live"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:how long is the environment's choice; prod keeps a year
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:it makes one call, to an endpoint with metrics of its own; there is no chain of services to trace
  #checkov:skip=CKV_AWS_115:reserving takes from what the whole account shares, of which AWS keeps 10; provisioned concurrency bounds cold starts
  #checkov:skip=CKV_AWS_116:it is invoked synchronously: the caller gets the error, and a dead-letter queue would get nothing
  #checkov:skip=CKV_AWS_117:it fetches pictures from the internet under its own rules, and reaches AWS by its public endpoints
  #checkov:skip=CKV_AWS_272:the zip is built from this repository in the same run, and its hash is part of the plan
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
