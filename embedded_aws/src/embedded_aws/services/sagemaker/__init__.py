"""Amazon SageMaker: jobs train, tuning jobs search, endpoints answer, notebooks run."""
