"""SageMaker jobs and S3 data: data sets, tuning, training, model registry, predictions."""
