"""Validation of requests: AWS's API models, and rules that the models lack."""
