# A function with scheduled provisioned concurrency, a concurrency limit, a function URL and an HTTP API.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

variable "zip_path" {
  description = "Path of the function's zip."
  type        = string
  nullable    = false
}

module "inference_function" {
  source                  = "../.."
  name                    = "example-inference"
  role_arn                = "arn:aws:iam::123456789012:role/example-inference"
  kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  memory_mb               = 512
  timeout_seconds         = 30
  provisioned_concurrency = 1
  reserved_concurrency    = 20
  log_retention_days      = 30

  package = {
    zip_path     = var.zip_path
    architecture = "arm64"
  }

  environment = {
    ENDPOINT_NAME = "example"
  }

  schedules = [
    { name = "working-day", schedule = "cron(45 7 ? * MON-FRI *)", timezone = "Europe/Berlin", provisioned_concurrency = 8 },
    { name = "evening", schedule = "cron(0 19 ? * MON-FRI *)", timezone = "Europe/Berlin", provisioned_concurrency = 1 },
  ]

  access = {
    function_url = true
    http_api     = { enabled = true, burst_limit = 40, rate_limit = 20 }
  }
}

output "urls" {
  description = "Function URL and URL of the HTTP API."
  value       = [module.inference_function.function_url, module.inference_function.http_api_url]
}
