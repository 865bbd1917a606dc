"""The card that ships with the model and holds all that the service needs to know."""

from graft import __version__
from graft.files import record_sha256
from graft.records.cards import BackboneCard, ModelCard
from graft.records.catalog import CatalogRecord
from graft.records.release import ExportRecord
from graft.records.training import TrainingRecord
from graft.records.verdict import AnyVerdict, VerdictRecord


def model_card(
    catalog: CatalogRecord, backbone: BackboneCard, arm: TrainingRecord, verdict: AnyVerdict, export: ExportRecord
) -> ModelCard:
    """Card of the arm that ships.

    Args:
        catalog: labels, preprocessing and hash of the data.
        backbone: origin of the pretrained weights.
        arm: training record of the arm that ships.
        verdict: holds the seed that ships.
        export: hashes of model.onnx and of the files beside it that hold its weights.
    """
    judged = verdict if isinstance(verdict, VerdictRecord) else None
    run = next(each for each in arm.runs if each.seed == verdict.ships_seed)
    return ModelCard(
        graft_version=__version__,
        labels=catalog.classes,
        preprocessing=catalog.preprocessing,
        preprocessing_sha256=record_sha256(catalog.preprocessing),
        network=arm.network,
        origin=backbone.origin if arm.arm == "transfer" else "random start",
        arm=arm.arm,
        strategy=arm.strategy,
        seed=run.seed,
        labels_from=catalog.labels_from,
        verdict=verdict.verdict,
        verdict_sentence=verdict.sentence,
        metric=judged and judged.metric,
        test_score=judged and judged.ships_score,
        n_test_images=judged.n_images if judged else 0,
        model_sha256=export.onnx_sha256,
        data_files=export.data_files,
        weights_sha256=run.weights_sha256,
        data_sha256=(catalog.target if catalog.labels_from == "target" else catalog.source).sha256,
    )
