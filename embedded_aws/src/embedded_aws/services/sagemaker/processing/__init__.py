"""Processing jobs: a program with inputs and outputs in S3, as a process."""
