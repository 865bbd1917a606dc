"""What params.yaml may say: a file a section."""
