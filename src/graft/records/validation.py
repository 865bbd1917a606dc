"""What is wrong with the data, and whether it may be trained on: data/records/validation.json and validated.json."""

from typing import Literal

from graft.records.common import Linked, Record


class Finding(Record):
    """One fault that was looked for in the data and what came of it."""

    name: str
    """the fault, in the plural: `no <name>` is what is wanted"""
    severity: Literal["critical", "warning"]
    ok: bool
    n_unexpected: int
    examples: tuple[str, ...]
    """at most 10 paths or classes that have it"""
    advice: str
    """what to do, one sentence"""


class ValidationRecord(Linked):
    """What validate_data found: data/records/validation.json."""

    schema_version: Literal[2] = 2
    ok: bool
    """no critical finding"""
    findings: tuple[Finding, ...]


class Stamp(Record):
    """Whether these catalogues may be trained on: data/records/validated.json.

    It holds nothing but the outcome, so that a change in the wording of a finding re-runs no later stage.
    """

    schema_version: Literal[1] = 1
    ok: bool
    """no critical finding"""
    source_sha256: str
    """sha256 of the source's catalogue file"""
    target_sha256: str
    """sha256 of the target's catalogue file"""
