"""`graft schema`: the JSON schema of params.yaml, for editors."""

import argparse

HELP = "print the JSON schema of params.yaml"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(args: argparse.Namespace) -> None:
    """Print the schema."""
    from graft.params.pipeline import json_schema

    print(json_schema(), end="")
