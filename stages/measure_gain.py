"""Say what transfer gains beyond the verdict: by labels, steps and classes, on the source, and why.

Reads   the stamp, the verdict and the logits that it was made from, records of all trainings, the target's catalogue,
        the backbone, weights of the transfer arm, the source's catalogue and image store
Writes  a GainRecord
Run     dvc repro measure_gain
"""

from collections.abc import Sequence

from graft import stage
from graft.decisions.gain.forgetting import forgetting_of, held_out
from graft.decisions.gain.gain import Trained, measure_gain, on_test, unmeasured_gain
from graft.files import read_record, write_record
from graft.networks.runtime import make_runtime
from graft.records.cards import BackboneCard
from graft.records.catalog import CatalogRecord
from graft.records.training import TrainingRecord
from graft.records.variants import VariantsRecord
from graft.records.verdict import NoVerdictRecord, read_verdict
from graft.store.catalogue import check_judged, open_images, read_catalog
from graft.store.predictions import read_logits
from graft.transfer.forgetting import old_head_logits

RECORDS = ("training", "scratch", "variants", "verdict")
DATA = ("catalog", "target-catalog", "logits", "backbone", "card", "weights", "source-catalog", "source-images")


def main(argv: Sequence[str] | None = None) -> dict[str, str | int]:
    """Write what transfer gains."""
    args = stage.arguments(__doc__, ("stamp", *RECORDS, *DATA, "record"), argv)
    check_judged(args.stamp, args.target_catalog, args.source_catalog)
    made_from = stage.made_from(args, *RECORDS)
    runtime = make_runtime(seed=0)  # nothing here is random

    transfer, scratch = (read_record(TrainingRecord, each) for each in (args.training, args.scratch))
    verdict, card = read_verdict(args.verdict), read_record(BackboneCard, args.card)
    classes = read_record(CatalogRecord, args.catalog).classes
    on = on_test(read_catalog(args.target_catalog), classes, read_logits(args.logits))

    source, old = held_out(read_catalog(args.source_catalog), card), None
    if source is not None:
        images = open_images(args.source_images)[source.images.rows]
        tuned = {run.seed: args.weights / f"seed_{run.seed}.safetensors" for run in transfer.runs}
        old = old_head_logits(args.backbone, tuned, images, runtime.device)
    forgetting = forgetting_of(source, old, card, verdict.level)
    trained = Trained(transfer, scratch, read_record(VariantsRecord, args.variants), card.blocks)
    if isinstance(verdict, NoVerdictRecord):
        record = unmeasured_gain(verdict, forgetting)
    else:
        record = measure_gain(trained, on, verdict, forgetting)
    write_record(record.model_copy(update=made_from), args.record)
    return runtime.provenance()


if __name__ == "__main__":
    stage.run(main)
