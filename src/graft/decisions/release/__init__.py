"""Whether a model may be released, and what to try next."""
