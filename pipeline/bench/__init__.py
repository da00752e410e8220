"""Benchmarks: what is measured, on this machine, side by side with a reference."""
