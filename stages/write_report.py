"""Judge the release, and write the report, its Markdown for a pull request and the headline numbers.

Reads   the stamp, every record, the predictions on the test split, the map of both domains, images of them,
        augmented images
Writes  a ReleaseRecord, reports/report.html, reports/report.md, reports/metrics.json
Run     dvc repro write_report
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.release.gate import judge_release
from graft.files import write_record, write_whole
from graft.params.pipeline import read_params
from graft.records.chapters import read_records
from graft.records.verdict import VerdictRecord
from graft.reporting.evidence import Evidence
from graft.reporting.headlines import metrics_json
from graft.reporting.pictures import Exhibits, stored
from graft.reporting.provenance import read_provenance
from graft.reporting.report import html_report, markdown_report
from graft.store.catalogue import check_judged
from graft.store.features import read_map
from graft.store.predictions import read_predictions

RECORDS = ("catalog", "validation", "shift", "strategy", "checks", "training", "scratch", "verdict", "gain", "export")
CATALOGS = ("source-catalog", "target-catalog", "unlabeled-catalog")
IMAGES = ("source-images", "target-images", "unlabeled-images", "sheet")
OTHERS = ("params", "stamp", "predictions", "shift-map", *CATALOGS, *IMAGES, "record", "html", "markdown", "metrics")


def main(argv: Sequence[str] | None = None) -> None:
    """Read all evidence, judge it, write the four files."""
    args = stage.arguments(__doc__, (*RECORDS, *OTHERS), argv)
    check_judged(args.stamp, args.source_catalog, args.target_catalog)
    params = read_params(args.params)
    records = read_records(vars(args))
    judged = isinstance(records.verdict, VerdictRecord)
    predictions = read_predictions(args.predictions, len(records.catalog.classes)) if judged else None
    release = judge_release(records).model_copy(update=stage.made_from(args, *RECORDS))
    evidence = Evidence(**vars(records), release=release, predictions=predictions)
    source, target = stored(args.source_catalog, args.source_images), stored(args.target_catalog, args.target_images)
    shifted = target
    if records.catalog.labels_from == "source":
        shifted = stored(args.unlabeled_catalog, args.unlabeled_images)
    points, sheet, recipe = read_map(args.shift_map), np.load(args.sheet), params.training.augmentation
    exhibits = Exhibits(source, target, shifted, points, sheet, recipe)
    provenance = read_provenance(stage.PROVENANCE, without="write_report")
    pages = {args.html: html_report(evidence, exhibits, provenance), args.markdown: markdown_report(evidence)}
    for path, text in {**pages, args.metrics: metrics_json(evidence)}.items():  # all are made before one is replaced
        write_whole(path, text.encode())
    write_record(release, args.record)


if __name__ == "__main__":
    stage.run(main)
