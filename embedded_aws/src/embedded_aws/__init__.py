"""Embedded AWS: moto's server as control plane, real processes for jobs, endpoints, functions and instances."""

ACCOUNT_ID = "123456789012"  # the account of AWS's documentation
