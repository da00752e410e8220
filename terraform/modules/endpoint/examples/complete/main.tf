# An A/B test with autoscaling, canary deployments that three alarms can roll back, and data capture of 10 % of requests.

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

locals {
  models = "arn:aws:sagemaker:us-east-1:123456789012:model-package/example"
}

module "endpoint" {
  source             = "../.."
  name               = "example"
  model_package_arn  = "${local.models}/1"
  execution_role_arn = "arn:aws:iam::123456789012:role/example-endpoint"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  bucket             = "example-123456789012-us-east-1"
  log_retention_days = 30

  hosting = {
    instance = { type = "ml.m5.large" }
  }

  variants = {
    second = { model_package_arn = "${local.models}/2", traffic_percentage = 20 }
  }

  autoscaling = {
    max_capacity                         = 4
    target_concurrent_requests_per_model = 4

    schedules = [
      { name = "working-day", schedule = "cron(0 7 ? * MON-FRI *)", timezone = "Europe/Berlin", min_capacity = 2 },
      { name = "evening", schedule = "cron(0 19 ? * MON-FRI *)", timezone = "Europe/Berlin", min_capacity = 1 },
    ]
  }

  data_capture = {
    enabled             = true
    sampling_percentage = 10
  }

  deployment = {
    traffic_shifting          = "canary"
    step_percentage           = 25
    wait_seconds              = 300
    termination_wait_seconds  = 120
    maximum_execution_seconds = 3600
    rollback_thresholds       = { error_percent = 1, p99_ms = 1000 }
    rollback_alarm_names      = ["example-orders"]
  }
}
