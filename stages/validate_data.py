"""Check catalogues and image stores against what is expected of images, classes and splits.

Reads   params.yaml, the CatalogRecord, two catalogues, two image stores
Writes  a ValidationRecord and a Stamp (JSON), everything that fails (CSV), Great Expectations' Data Docs (HTML)
Run     dvc repro validate_data
"""

import sys
from collections.abc import Sequence

from graft import stage
from graft.files import file_sha256, read_record, write_record
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.validation import Stamp
from graft.validation.domains import open_domain
from graft.validation.expectations import critical_sentences, validate, warning_sentences
from graft.validation.failing import write_failing

INPUTS = ("params", "catalog", "source-catalog", "target-catalog", "source-images", "target-images")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the evidence, then fail where a finding is critical."""
    args = stage.arguments(__doc__, (*INPUTS, "record", "stamp", "failing", "docs"), argv)
    made_from = stage.made_from(args, "catalog")
    params, catalog = read_params(args.params), read_record(CatalogRecord, args.catalog)
    source = open_domain("source", catalog.source, args.source_catalog, args.source_images)
    target = open_domain("target", catalog.target, args.target_catalog, args.target_images)
    with stage.whole_folder(args.docs) as docs:
        record, failing = validate(source, target, catalog.preprocessing, params, docs)
    judged = {"source_sha256": file_sha256(args.source_catalog), "target_sha256": file_sha256(args.target_catalog)}
    # first, so that an earlier stamp that says ok does not outlive a full disk or a kill
    write_record(Stamp(ok=record.ok, **judged), args.stamp)
    write_failing(failing, args.failing)
    write_record(record.model_copy(update=made_from), args.record)
    for sentence in warning_sentences(record):
        print(sentence, file=sys.stderr)
    where = [f"{args.failing} has a line for each of them, {len(failing):,} in all."] if failing else []
    if not record.ok:
        raise RuntimeError("\n".join([*critical_sentences(record), *where]))
    for sentence in where:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    stage.run(main)
