"""Hyperparameter tuning jobs: Optuna proposes hyperparameters, training jobs evaluate them."""
