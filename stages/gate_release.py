"""Say whether the model may be released; refuse with exit code 1 where it may not.

Reads   catalog, validation, strategy, both training records, verdict and export records, the model's card
Writes  models/records/gate.json, also when it refuses
Run     dvc repro gate_release
"""

from collections.abc import Sequence

from graft import stage
from graft.decisions.release.advice import Findings, next_steps
from graft.decisions.release.gate import gate_record, release_reasons
from graft.files import read_record, write_record
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.release import ExportRecord
from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.records.validation import ValidationRecord
from graft.records.verdict import VerdictRecord

RECORDS = ("catalog", "validation", "strategy", "training", "scratch", "verdict", "export")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the gate record, then refuse if a reason fails."""
    args = stage.arguments(__doc__, ("params", *RECORDS, "card", "report", "record"), argv)
    made_from = stage.made_from(args, *RECORDS, "card")

    validation = read_record(ValidationRecord, args.validation)
    transfer, scratch = (read_record(TrainingRecord, path) for path in (args.training, args.scratch))
    verdict = read_record(VerdictRecord, args.verdict)
    export = read_record(ExportRecord, args.export)
    limits = read_params(args.params).gate_release
    reasons = release_reasons(validation, (transfer, scratch), verdict, export, limits)
    catalog = read_record(CatalogRecord, args.catalog)
    strategy = read_record(StrategyRecord, args.strategy)
    steps = next_steps(Findings(catalog, validation, strategy, transfer, verdict, reasons))

    record = gate_record(reasons, export.onnx_sha256, steps).model_copy(update=made_from)
    write_record(record, args.record)
    if not record.passed:
        refused = " ".join(each.sentence for each in reasons if each.level == "fail")
        raise RuntimeError(f"gate_release: want a model fit for release, got a refusal. {refused} See {args.report}.")


if __name__ == "__main__":
    stage.run(main)
