"""What is kept on disk: the snapshot of moto's backends, the journal of writes, the blobs."""
