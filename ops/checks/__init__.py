"""Gates of `./inv check` on Terraform, policies and Python. They need no AWS account."""
