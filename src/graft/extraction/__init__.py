"""The stage extract_features: activations of the unmodified backbone for images, clean and corrupted."""
