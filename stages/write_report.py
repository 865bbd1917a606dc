"""Write the report, its Markdown for a pull request, and the headline numbers.

Reads   the stamp, every record, predictions on the test split, the map of both domains, images, augmented images
Writes  reports/report.html, reports/report.md, reports/metrics.json
Run     dvc repro write_report
"""

from argparse import Namespace
from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.decisions.release.advice import Findings, next_steps
from graft.decisions.release.gate import release_reasons
from graft.files import write_whole
from graft.params.pipeline import Params, read_params
from graft.reporting.evidence import Evidence, read_records
from graft.reporting.headlines import metrics_json
from graft.reporting.pictures import Exhibits, stored
from graft.reporting.provenance import read_provenance
from graft.reporting.report import html_report, markdown_report
from graft.store.catalogue import check_judged
from graft.store.features import read_map
from graft.store.predictions import read_predictions

RECORDS = ("catalog", "validation", "shift", "strategy", "training", "scratch", "verdict", "export")
IMAGES = ("source-catalog", "source-images", "target-catalog", "target-images", "sheet")
OTHERS = ("params", "stamp", "predictions", "shift-map", *IMAGES, "html", "markdown", "metrics")


def main(argv: Sequence[str] | None = None) -> None:
    """Read all evidence, write the three files."""
    args = stage.arguments(__doc__, (*RECORDS, *OTHERS), argv)
    check_judged(args.stamp, args.source_catalog, args.target_catalog)
    params = read_params(args.params)
    evidence = read_evidence(args, params)
    source, target = stored(args.source_catalog, args.source_images), stored(args.target_catalog, args.target_images)
    exhibits = Exhibits(source, target, read_map(args.shift_map), np.load(args.sheet), params.training.augmentation)
    provenance = read_provenance(stage.PROVENANCE, without="write_report")
    pages = {args.html: html_report(evidence, exhibits, provenance), args.markdown: markdown_report(evidence)}
    for path, text in {**pages, args.metrics: metrics_json(evidence)}.items():  # all are made before one is replaced
        write_whole(path, text.encode())


def read_evidence(args: Namespace, params: Params) -> Evidence:
    """All records of the run, with the gate's reasons and what to try next."""
    read = read_records(vars(args))
    arms = (read.transfer, read.scratch)
    reasons = release_reasons(read.validation, arms, read.verdict, read.export, params.gate_release)
    steps = next_steps(Findings(read.catalog, read.validation, read.strategy, read.transfer, read.verdict, reasons))
    predictions = read_predictions(args.predictions, len(read.catalog.target.classes))
    return Evidence(*read, reasons, steps, predictions)


if __name__ == "__main__":
    stage.run(main)
