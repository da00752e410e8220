# A notebook instance that unpacks the repository.

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

module "workbench" {
  source         = "../.."
  name           = "example-workbench"
  kind           = "notebook"
  role_arn       = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/example-workbench"
  kms_key_arn    = "arn:aws:kms:us-east-1:${data.aws_caller_identity.current.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  volume_size_gb = 50
  idle_minutes   = 120
  repository     = { uri = "s3://example/code/repository.tar.gz" }

  network = {
    vpc_id             = "vpc-0123456789abcdef0"
    subnet_ids         = ["subnet-0123456789abcdef0"]
    security_group_ids = ["sg-0123456789abcdef0"]
  }
}
