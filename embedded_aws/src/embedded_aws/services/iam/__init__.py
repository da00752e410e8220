"""AWS IAM's API."""
