"""What both arms share: data, seeds, budget, choice of the rate."""
