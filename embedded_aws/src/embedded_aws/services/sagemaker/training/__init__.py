"""Training jobs. They run AWS's container toolkit in processes."""
