"""The data job: the data stage as a SageMaker Processing job, for sets that are too large for the operator's machine."""
