"""Images: decoding, resizing, fingerprints and near duplicates."""
