"""Checks of IAM documents for checkov. Without this file it would load none of them, and say nothing."""
