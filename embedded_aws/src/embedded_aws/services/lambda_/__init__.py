"""AWS Lambda: functions run from their deployment package, in processes."""
