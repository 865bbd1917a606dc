"""What stands beside the verdict: fewer labels, a small network, and altered pretrained weights."""
