"""Where a training job runs: on SageMaker, on an EC2 host, or on this machine. Everything else is the same."""
