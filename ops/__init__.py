"""What the operator's machine does besides the machine-learning jobs."""
