# A topic that CloudWatch may publish to, with one email subscription.

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

locals {
  account = data.aws_caller_identity.current.account_id
}

module "notifications" {
  source          = "../.."
  name            = "example-alarms"
  kms_key_arn     = "arn:aws:kms:us-east-1:${local.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  job_name_prefix = "example-"
  emails          = ["team@example.com"]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "CloudWatchPublishes"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:us-east-1:${local.account}:example-alarms"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}
