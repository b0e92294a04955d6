"""The command line: one small file per verb of the user's journey."""
