"""Keeping what was learned: losses that hold the tuned network to the pretrained one."""
