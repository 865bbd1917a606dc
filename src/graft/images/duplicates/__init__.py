"""Pictures that are nearly the same: which pairs are, and what they connect."""
