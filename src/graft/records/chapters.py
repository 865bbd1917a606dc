"""The records of all chapters of one run, read together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graft.files import read_record
from graft.records.catalog import CatalogRecord
from graft.records.checks import ChecksRecord
from graft.records.gain import GainRecord
from graft.records.release import ExportRecord
from graft.records.shift import ShiftRecord
from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.records.validation import ValidationRecord
from graft.records.verdict import AnyVerdict, read_verdict


@dataclass(frozen=True)
class Records:
    """The records of one run of the pipeline."""

    catalog: CatalogRecord
    validation: ValidationRecord
    shift: ShiftRecord
    strategy: StrategyRecord
    checks: ChecksRecord
    transfer: TrainingRecord
    scratch: TrainingRecord
    verdict: AnyVerdict
    gain: GainRecord
    export: ExportRecord


def read_records(paths: Mapping[str, Path]) -> Records:
    """Read the records of one run.

    Args:
        paths: files of the records, by the names of write_report's options.

    Raises:
        FileNotFoundError: one of them is absent.
        ValueError: one of them is not such a record.
    """
    return Records(
        catalog=read_record(CatalogRecord, paths["catalog"]),
        validation=read_record(ValidationRecord, paths["validation"]),
        shift=read_record(ShiftRecord, paths["shift"]),
        strategy=read_record(StrategyRecord, paths["strategy"]),
        checks=read_record(ChecksRecord, paths["checks"]),
        transfer=read_record(TrainingRecord, paths["training"]),
        scratch=read_record(TrainingRecord, paths["scratch"]),
        verdict=read_verdict(paths["verdict"]),
        gain=read_record(GainRecord, paths["gain"]),
        export=read_record(ExportRecord, paths["export"]),
    )
