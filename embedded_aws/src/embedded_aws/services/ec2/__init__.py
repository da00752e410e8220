"""Amazon EC2: instances are processes that run their user data."""
