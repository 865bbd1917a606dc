"""What stages hand on: frozen records, a file a chapter."""
