"""The transfer arm: strategies and their training."""
