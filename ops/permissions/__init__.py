"""Compare the permissions that roles have with those that they use, from a record of access decisions."""
