# Alarms and a dashboard for an endpoint and its function, with lower thresholds.

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

data "aws_caller_identity" "current" {}

module "observability" {
  source        = "../.."
  endpoint_name = "example"
  function_name = "example-inference"
  topic_arn     = "arn:aws:sns:us-east-1:${data.aws_caller_identity.current.account_id}:example-alarms"

  thresholds = {
    endpoint_p99_ms = 300
    silent_minutes  = 15
  }
}
