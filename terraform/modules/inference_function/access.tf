# HTTP access to the alias, for callers that IAM allows.

resource "aws_lambda_function_url" "this" {
  count              = var.access.function_url ? 1 : 0
  function_name      = aws_lambda_function.this.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = "AWS_IAM"
}

locals {
  http_api_count = var.access.http_api.enabled ? 1 : 0
}

resource "aws_apigatewayv2_api" "this" {
  count         = local.http_api_count
  name          = var.name
  description   = "Classifies images"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "this" {
  count                  = local.http_api_count
  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = min(var.timeout_seconds, 30) * 1000 # an HTTP API's maximum
}

resource "aws_apigatewayv2_route" "this" {
  count              = local.http_api_count
  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = "POST /"
  authorization_type = "AWS_IAM"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
}

resource "aws_apigatewayv2_stage" "this" {
  #checkov:skip=CKV_AWS_76:the function logs its requests and metrics count the others; access logs would need logs:PutResourcePolicy on the whole account
  count       = local.http_api_count
  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_burst_limit = var.access.http_api.burst_limit
    throttling_rate_limit  = var.access.http_api.rate_limit
  }

  depends_on = [aws_apigatewayv2_route.this]
}

resource "aws_lambda_permission" "http_api" {
  count         = local.http_api_count
  statement_id  = "HttpApi"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[0].execution_arn}/*/POST/"
}
