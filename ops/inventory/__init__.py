"""Inventory: every kind of resource that an environment may have in AWS, how to find it, price it and delete it."""
