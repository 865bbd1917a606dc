"""Faults of the data, and whether the data may be trained on: data/records/validation.json and validated.json."""

from typing import Literal

from graft.records.common import Linked, Record


class Finding(Record):
    """One fault that validate_data looked for, and whether it found it."""

    name: str
    """name of the fault in the plural: what is wanted is `no <name>`"""
    severity: Literal["critical", "warning"]
    ok: bool
    n_unexpected: int
    examples: tuple[str, ...]
    """at most 10 paths or classes with this fault"""
    advice: str
    """what to do about it, in one sentence"""


class ValidationRecord(Linked):
    """What validate_data found: data/records/validation.json."""

    schema_version: Literal[2] = 2
    ok: bool
    """true if no finding is critical"""
    findings: tuple[Finding, ...]


class Stamp(Record):
    """Whether catalogues may be trained on: data/records/validated.json and validated_target.json.

    A stamp holds the outcome alone, so that rewording a finding re-runs no later stage. The second names the catalogue
    of the target alone, for stages that read no other: a changed source re-runs none of them by its stamp.
    """

    schema_version: Literal[2] = 2
    ok: bool
    """true if no finding is critical"""
    catalogs: dict[str, str]
    """sha256 of the catalogue files that were judged, by domain"""
