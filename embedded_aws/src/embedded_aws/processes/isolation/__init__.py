"""Namespaces of Linux for the processes of jobs, endpoints, functions and hosts."""
