"""The stages that join Terraform and SageMaker jobs."""
