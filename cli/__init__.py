"""What the tasks share, and groups of them; `tasks.py` is their collection."""
