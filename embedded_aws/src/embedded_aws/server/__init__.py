"""HTTP server: front, dispatch to moto, control requests."""
