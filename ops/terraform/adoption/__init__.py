"""Adoption: Terraform imports what an interrupted apply created and did not record in the state."""
