"""The stage select_strategy: published tables, probes and checks of the data."""
