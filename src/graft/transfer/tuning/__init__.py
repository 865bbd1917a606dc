"""Tuning little: what of a block learns, and what of a network is kept as its change."""
