"""Machine learning: the containers' code, the runner of one training job, and the jobs that operators start."""
