"""Stage measure_shift: how far the target is from the source."""
