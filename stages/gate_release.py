"""Say whether the model may be released; refuse with exit code 1 where it may not.

Reads   validation, both training records, verdict and export records
Writes  a also when it refuses
Run     dvc repro gate_release
"""

from collections.abc import Sequence

from graft import stage
from graft.decisions.gate import gate_record, release_reasons
from graft.files import read_record, write_record
from graft.params import read_params
from graft.records import ExportRecord, TrainingRecord, ValidationRecord, VerdictRecord


def main(argv: Sequence[str] | None = None) -> None:
    """Write the gate record, then refuse if a reason fails."""
    names = ("params", "validation", "training", "scratch", "verdict", "export", "report", "record")
    args = stage.arguments(__doc__, names, argv)

    export = read_record(ExportRecord, args.export)
    reasons = release_reasons(
        read_record(ValidationRecord, args.validation),
        (read_record(TrainingRecord, args.training), read_record(TrainingRecord, args.scratch)),
        read_record(VerdictRecord, args.verdict),
        export,
        read_params(args.params).gate_release,
    )
    record = gate_record(reasons, export.onnx_sha256)
    write_record(record, args.record)
    if not record.passed:
        refused = " ".join(each.sentence for each in reasons if each.level == "fail")
        raise RuntimeError(f"gate_release: want a model fit for release, got a refusal. {refused} See {args.report}.")


if __name__ == "__main__":
    stage.run(main)
