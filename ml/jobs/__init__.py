"""Jobs that run on the operator's machine: data, tuning, training, registry, deployment checks."""
