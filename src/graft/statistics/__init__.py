"""Ground floor of all numbers: numpy, and scipy, scikit-learn or torch only when called; strangers may import it."""
