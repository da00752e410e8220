"""Policy documents: grammar of IAM's policy language, principals, and the differences between services."""
