"""From bytes to pixels: decoding, resizing, fingerprints, near duplicates."""
