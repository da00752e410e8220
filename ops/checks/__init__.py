"""What can be held against Terraform and the policies without an account: gates, each of which can fail."""
