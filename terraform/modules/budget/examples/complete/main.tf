# A budget of 300 USD a month for the resources with one tag.

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

module "budget" {
  source      = "../.."
  name        = "example"
  monthly_usd = 300
  tag         = { key = "Application", value = "example" }
  topic_arn   = "arn:aws:sns:us-east-1:${data.aws_caller_identity.current.account_id}:example-alarms"

  alerts = [
    { percent = 50 },
    { percent = 100, forecast = true },
  ]
}
