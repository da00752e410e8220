"""The notebook workbench: SageMaker Studio or a notebook instance."""
