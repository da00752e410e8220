"""Child processes: started, supervised, ended with their parent, and their logs shipped."""
