# A bucket that Terraform may delete with its objects, and that denies plain HTTP.

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
  bucket = "storage-example-${data.aws_caller_identity.current.account_id}"
}

module "storage" {
  source        = "../.."
  bucket        = local.bucket
  kms_key_arn   = "arn:aws:kms:us-east-1:${data.aws_caller_identity.current.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  force_destroy = true

  expiry = {
    noncurrent_version_days = 7
    checkpoint_days         = 3
  }

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::${local.bucket}", "arn:aws:s3:::${local.bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
