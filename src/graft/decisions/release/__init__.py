"""Judgement of a release, and what to try next."""
