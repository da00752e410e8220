"""Training jobs that train: AWS's own container toolkit in a process, beneath SageMaker's API."""
