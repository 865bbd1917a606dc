"""The stage select_strategy: choice of a strategy, and checks of labels and splits."""
