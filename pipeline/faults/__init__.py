"""Break every stage on purpose, run it again, and compare the result with an undisturbed run."""
