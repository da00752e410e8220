"""Service quotas of the account, checked before anything that costs money is created."""
