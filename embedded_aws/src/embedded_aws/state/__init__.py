"""Saved state: snapshot of moto's backends, journal of writes since then, blobs of S3 objects."""
