"""Say whether the model may be released; refuse with exit code 1 where it may not.

The release was judged before the report was written. This stage comes last, so that a refusal leaves all evidence.

Reads   the record of the release, the model's card
Writes  models/records/gate.json, also when it refuses
Run     dvc repro gate_release
"""

from collections.abc import Sequence

from graft import stage
from graft.files import read_record, write_record
from graft.records.release import GateRecord, ReleaseRecord


def main(argv: Sequence[str] | None = None) -> None:
    """Write the gate record, then refuse if a reason fails."""
    args = stage.arguments(__doc__, ("release", "card", "report", "record"), argv)
    made_from = stage.made_from(args, "release", "card")

    release = read_record(ReleaseRecord, args.release)
    record = GateRecord(passed=release.passed, model_sha256=release.model_sha256).model_copy(update=made_from)
    write_record(record, args.record)
    if not record.passed:
        raise RuntimeError(
            f"gate_release: want a model fit for release, got a refusal. {release.refusals} See {args.report}."
        )


if __name__ == "__main__":
    stage.run(main)
