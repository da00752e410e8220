"""Child processes: start, supervise, end with their parent, ship their logs."""
