"""What transfer gains beyond the verdict: by labels, steps and classes, on the source, and why."""
