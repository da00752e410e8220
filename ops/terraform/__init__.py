"""Terraform: the program, its stacks, plans and providers."""
