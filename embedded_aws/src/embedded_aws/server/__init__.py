"""The HTTP server in front of moto: its front page checks, dispatch, own control requests."""
