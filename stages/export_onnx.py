"""Export the arm that the verdict names, check it against torch on real images, and write its card.

Reads   the stamp, verdict, weights and training records of both arms, backbone card, the target's validation images or
        unlabelled ones
Writes  a folder with model.onnx, its data file where it is large, and card.json; an ExportRecord
Run     dvc repro export_onnx
"""

from collections.abc import Sequence

import numpy as np

from graft import stage
from graft.export.card import model_card
from graft.export.parity import check_parity
from graft.export.to_onnx import export_onnx
from graft.files import read_record, write_record
from graft.networks.runtime import make_deterministic
from graft.networks.saving import load_network
from graft.records.cards import BackboneCard
from graft.records.catalog import CatalogRecord
from graft.records.training import TrainingRecord
from graft.records.verdict import read_verdict
from graft.store.catalogue import check_judged, open_images, read_catalog, readable_rows

IMAGES = ("target-catalog", "target-images", "unlabeled-images")
N_IMAGES = 256


def main(argv: Sequence[str] | None = None) -> None:
    """Write what ships."""
    names = ("stamp", "verdict", "training", "scratch", "transfer-weights", "scratch-weights", "catalog", "card")
    args = stage.arguments(__doc__, (*names, *IMAGES, "final", "record"), argv)
    check_judged(args.stamp, args.target_catalog)
    made_from = stage.made_from(args, "verdict")
    make_deterministic(seed=0)  # nothing here is random

    verdict = read_verdict(args.verdict)
    catalog = read_record(CatalogRecord, args.catalog)
    transfers = verdict.ships == "transfer"
    arm = read_record(TrainingRecord, args.training if transfers else args.scratch)
    weights = args.transfer_weights if transfers else args.scratch_weights
    store, rows = args.target_images, readable_rows(read_catalog(args.target_catalog), "val")
    if catalog.labels_from == "source":
        store, rows = args.unlabeled_images, np.arange(catalog.unlabeled.n_images)
    spread = np.linspace(0, len(rows) - 1, min(len(rows), N_IMAGES)).astype(int)  # rows are sorted by class

    with stage.whole_folder(args.final) as folder:
        network = load_network(weights / f"seed_{verdict.ships_seed}.safetensors")
        export_onnx(network, folder / "model.onnx")
        images = open_images(store)[rows[spread]]
        record = check_parity(folder / "model.onnx", network, images)
        card = model_card(catalog, read_record(BackboneCard, args.card), arm, verdict, record)
        write_record(card, folder / "card.json")
    write_record(record.model_copy(update=made_from), args.record)


if __name__ == "__main__":
    stage.run(main)
