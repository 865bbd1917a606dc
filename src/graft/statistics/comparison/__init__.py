"""Comparison of two arms over seeds and test images."""
