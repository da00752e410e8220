"""Amazon CloudWatch: metrics with percentiles and expressions, alarms that are evaluated and act."""
