"""How far the target lies from the source."""

from graft.statistics.two_sample import TwoSample, two_sample_test

__all__ = ["TwoSample", "two_sample_test"]
