"""Which test images were looked at, and by which runs: models/records/looks.json."""

from typing import Literal

from graft.records.common import Outcome, Record


class Look(Record):
    """A run whose arms were compared on these test images."""

    test_sha256: str
    """hash of the set of test images and their classes"""
    params_sha256: str
    """hash of what looked: the params that make the arms and ask the question, the strategy that was trained, and the
    images that it was trained on, with their classes and groups"""
    n_seeds: int
    planned: int
    """number of looks at these test images that was planned, as `check_transfer.planned_looks` said at this look"""
    level: float
    """`check_transfer.level` at this look, which all planned looks share"""
    verdict: Outcome | None
    """null from the opening of the test split until it is judged; a run that was killed in between leaves null"""


class LooksRecord(Record):
    """The ledger of all looks, the first one first. check_transfer reads it and writes it anew."""

    schema_version: Literal[1] = 1
    looks: tuple[Look, ...] = ()
