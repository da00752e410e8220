provider "aws" {
  region = var.region

  # By default 25, which take minutes for each request when AWS is gone.
  max_retries = 10

  default_tags {
    tags = merge(var.tags, {
      Project     = var.project
      Environment = var.environment
      ManagedBy   = "terraform"
      Stack       = "training_host"
    })
  }
}
