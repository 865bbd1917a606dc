"""`graft <command>`, a file for each."""
