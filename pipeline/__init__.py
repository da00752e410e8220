"""The stages of the pipeline, which combine Terraform and SageMaker jobs."""
