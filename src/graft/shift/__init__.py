"""The stage measure_shift: how far the target lies from the source."""
