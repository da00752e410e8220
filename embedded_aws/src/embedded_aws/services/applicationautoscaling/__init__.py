"""Application Auto Scaling: policies and schedules change the capacity of endpoint variants and functions."""
