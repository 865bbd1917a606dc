"""The two-sample test between sets of features, and sizes of their distance."""
