"""Records: the frozen findings that stages hand on, one file per chapter."""
