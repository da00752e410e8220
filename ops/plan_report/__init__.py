"""The report on a plan for a pull request: changes, permissions, cost, findings. All are read from plan JSON."""
