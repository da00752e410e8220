"""Hyperparameter tuning jobs: Optuna proposes, real training jobs try."""
