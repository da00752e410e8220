provider "aws" {
  region      = var.region
  max_retries = 3

  default_tags {
    tags = merge(var.tags, {
      Project     = var.project
      Environment = var.environment
      ManagedBy   = "terraform"
      Stack       = "training_host"
    })
  }
}
