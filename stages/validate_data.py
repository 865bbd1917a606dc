"""Hold the catalogues against what is expected of images and classes.

Reads   params.yaml, two catalogues
Writes  a ValidationRecord (JSON), Great Expectations' Data Docs (HTML)
Run     dvc repro validate_data
"""

from collections.abc import Sequence

from graft import stage
from graft.files import write_record
from graft.params import read_params
from graft.store import read_catalog
from graft.validation.expectations import critical_sentences, validate


def main(argv: Sequence[str] | None = None) -> None:
    """Write the evidence, then fail where a finding is critical."""
    args = stage.arguments(__doc__, ("params", "source-catalog", "target-catalog", "record", "docs"), argv)
    params = read_params(args.params)
    source, target = read_catalog(args.source_catalog), read_catalog(args.target_catalog)
    with stage.whole_folder(args.docs) as docs:
        record = validate(source, target, params.validate_data, docs)
    write_record(record, args.record)
    if not record.ok:
        raise RuntimeError("\n".join(critical_sentences(record)))


if __name__ == "__main__":
    stage.run(main)
