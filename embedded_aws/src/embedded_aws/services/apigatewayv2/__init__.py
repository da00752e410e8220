"""Amazon API Gateway: HTTP APIs that call functions."""
