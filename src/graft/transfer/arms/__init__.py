"""What both arms share: data, seeds, choice of the rate."""
