"""What to train, whether it helped, and whether it may be released; numpy, no torch."""
