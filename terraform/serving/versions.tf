terraform {
  required_version = ">= 1.11"

  # Bucket, key, region, max_retries and use_lockfile come by -backend-config.
  backend "s3" {}

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
