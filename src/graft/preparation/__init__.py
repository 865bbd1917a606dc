"""The stage prepare_data: scan, read, split and group images; the built-in example."""
