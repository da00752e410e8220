"""SageMaker hosting: models, endpoint configurations, and endpoints whose instances are processes."""
