"""Near duplicates: find the pairs, and what they connect."""
