"""What is wrong with the data: data/records/validation.json."""

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
