"""Ground floor of all numbers: numpy, and scipy, scikit-learn or torch only when called; strangers may import it."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Load `compare` where it is asked for: the room is read by stages that compare nothing."""
    if name != "compare":
        raise AttributeError(f"module 'graft.statistics' has no attribute {name!r}")
    from importlib import import_module

    return import_module("graft.statistics.comparison.compare").compare
