"""Write the report, its Markdown for a pull request, and the headline numbers.

Reads   every record, the predictions on the test split, the map of both domains, images of them, augmented images
Writes  reports/report.html, reports/report.md, reports/metrics.json
Run     dvc repro write_report
"""

from argparse import Namespace
from collections.abc import Sequence

import numpy as np

from graft import records, stage, verdict_record
from graft.decisions.advice import Findings, next_steps
from graft.decisions.gate import release_reasons
from graft.files import read_record, write_whole
from graft.params import Params, read_params
from graft.reporting.evidence import Evidence
from graft.reporting.headlines import metrics_json
from graft.reporting.pictures import Exhibits, stored
from graft.reporting.predictions import read_predictions
from graft.reporting.provenance import read_provenance
from graft.reporting.report import html_report, markdown_report
from graft.shift_map import read_map
from graft.shift_record import ShiftRecord
from graft.strategy_record import StrategyRecord

RECORDS = ("catalog", "validation", "shift", "strategy", "training", "scratch", "verdict", "export")
IMAGES = ("source-catalog", "source-images", "target-catalog", "target-images", "sheet")
OTHERS = ("params", "predictions", "shift-map", *IMAGES, "html", "markdown", "metrics")


def main(argv: Sequence[str] | None = None) -> None:
    """Read all evidence, write the three files."""
    args = stage.arguments(__doc__, (*RECORDS, *OTHERS), argv)
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
    catalog = read_record(records.CatalogRecord, args.catalog)
    validation = read_record(records.ValidationRecord, args.validation)
    shift, verdict = read_record(ShiftRecord, args.shift), read_record(verdict_record.VerdictRecord, args.verdict)
    strategy, export = read_record(StrategyRecord, args.strategy), read_record(records.ExportRecord, args.export)
    transfer, scratch = (read_record(records.TrainingRecord, path) for path in (args.training, args.scratch))
    reasons = release_reasons(validation, (transfer, scratch), verdict, export, params.gate_release)
    steps = next_steps(Findings(catalog, validation, strategy, transfer, verdict, reasons))
    rest = (verdict, export, reasons, steps, read_predictions(args.predictions, len(catalog.target.classes)))
    return Evidence(catalog, validation, shift, strategy, transfer, scratch, *rest)


if __name__ == "__main__":
    stage.run(main)
