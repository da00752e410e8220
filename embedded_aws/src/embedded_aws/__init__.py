"""The embedded AWS: moto's server as control plane, real processes beneath it."""

ACCOUNT_ID = "123456789012"  # the account of AWS's own documentation
