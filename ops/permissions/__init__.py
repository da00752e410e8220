"""What each role may do, as its policies say it, and what of that was ever used, by a record of decisions."""
