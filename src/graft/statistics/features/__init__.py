"""Statistics of one (n, d) array of features: probes, separability, doubtful labels."""
