"""The stage extract_features: what the unmodified backbone makes of images."""
