"""Ground floor of all numbers: two-sample test, comparison of two arms; numpy, and scipy only when called."""
