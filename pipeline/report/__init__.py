"""The HTML report of trainings, searches and model versions."""
