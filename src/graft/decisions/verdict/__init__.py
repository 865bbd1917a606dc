"""The verdict: whether transfer helped, what may be claimed, and which arm ships."""
