"""Recipes that do nothing but what a test is about."""

from tests.house import ROOT

from graft.params.pipeline import read_params
from graft.params.recipes import Recipe

SHIPPED = read_params(ROOT / "params.yaml").recipes


def recipe(**changes: float) -> Recipe:
    """The recipe `none` of params.yaml with these changes, checked as params.yaml is."""
    return Recipe.model_validate({**SHIPPED["none"].model_dump(), **changes})
