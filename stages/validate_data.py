"""Check catalogues and image stores against what is expected of images, classes and splits.

Reads   params.yaml, the CatalogRecord, three catalogues, three image stores
Writes  a ValidationRecord and two Stamps (JSON), everything that fails (CSV), Great Expectations' Data Docs (HTML)
Run     dvc repro validate_data
"""

import sys
from collections.abc import Sequence

from graft import stage
from graft.files import file_sha256, read_record, write_record
from graft.params.pipeline import read_params
from graft.records.catalog import CatalogRecord
from graft.records.validation import Stamp
from graft.validation.domains import Domains, Name, open_domain
from graft.validation.expectations import critical_sentences, validate, warning_sentences
from graft.validation.failing import write_failing

DOMAINS: tuple[Name, ...] = ("source", "target", "unlabeled")
FILES = [f"{name}-{what}" for what in ("catalog", "images") for name in DOMAINS]
OUTPUTS = ("record", "stamp", "target-stamp", "failing", "docs")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the evidence, then fail where a finding is critical."""
    args = stage.arguments(__doc__, ("params", "catalog", *FILES, *OUTPUTS), argv)
    made_from = stage.made_from(args, "catalog")
    params, catalog = read_params(args.params), read_record(CatalogRecord, args.catalog)
    catalogs, images = ({name: getattr(args, f"{name}_{what}") for name in DOMAINS} for what in ("catalog", "images"))
    opened = [open_domain(name, getattr(catalog, name), catalogs[name], images[name]) for name in DOMAINS]
    with stage.whole_folder(args.docs) as docs:
        record, failing = validate(Domains(*opened), catalog.preprocessing, params, docs)
    judged = {name: file_sha256(path) for name, path in catalogs.items()}
    # first, so that an earlier stamp that says ok does not outlive a full disk or a kill
    write_record(Stamp(ok=record.ok, catalogs=judged), args.stamp)
    write_record(Stamp(ok=record.ok, catalogs={"target": judged["target"]}), args.target_stamp)
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
