"""Machine learning: containers (`ml/container`) and the jobs that start them (`ml/jobs`)."""
