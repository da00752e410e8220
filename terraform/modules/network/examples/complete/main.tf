# A private network in two Availability Zones, with endpoints for S3 and two services, and flow logs.

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
  name    = "network-example"
  account = data.aws_caller_identity.current.account_id

  # Only principals of this account.
  statement = {
    Effect    = "Allow"
    Principal = "*"
    Resource  = "*"
    Condition = { StringEquals = { "aws:PrincipalAccount" = local.account } }
  }
}

module "network" {
  source     = "../.."
  name       = local.name
  cidr       = "10.40.0.0/20"
  zone_count = 2

  s3_endpoint_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.statement, { Sid = "Objects", Action = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"] })]
  })

  interface_endpoint_policies = {
    logs = jsonencode({
      Version   = "2012-10-17"
      Statement = [merge(local.statement, { Sid = "Logs", Action = ["logs:CreateLogStream", "logs:PutLogEvents"] })]
    })
    "sagemaker.runtime" = jsonencode({
      Version   = "2012-10-17"
      Statement = [merge(local.statement, { Sid = "Invoke", Action = "sagemaker:InvokeEndpoint" })]
    })
  }

  flow_logs = {
    enabled        = true
    log_group_name = "/${local.name}/flow-logs"
    role_arn       = "arn:aws:iam::${local.account}:role/${local.name}-flow-logs"
    kms_key_arn    = "arn:aws:kms:us-east-1:${local.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }
}
