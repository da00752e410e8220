"""The tasks of `./inv`: parse options, connect to an environment, call the pipeline, print."""
