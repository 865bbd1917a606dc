"""Ground floor of all numbers: two-sample test, comparison of two arms; numpy, and scipy or torch only when called."""

from graft.statistics.two_sample import TwoSample, two_sample_test

__all__ = ["TwoSample", "two_sample_test"]
