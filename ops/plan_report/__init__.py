"""What a pull request should know of a plan: changes, permissions, cost, findings. Everything is read from plan JSON."""
