"""What of this machine, shell and home folder has an effect on commands, what has none, and what will stop one."""
