"""Adapting to the target: losses that draw the domains together, and the choice among runs without target labels."""
