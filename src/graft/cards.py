"""The cards that travel with weights: of the backbone, and of the model that ships."""

from typing import Literal

from graft.records import Arm, Outcome, Preprocessing, Record, StrategyName


class BackboneCard(Record):
    """Where the backbone comes from; lies beside its weights."""

    schema_version: Literal[2] = 2
    network: str
    origin: str
    """`pretrain`, `torchvision NAME` or `file NAME`"""
    blocks: tuple[str, ...]
    """from input to output, the head left out"""
    n_features: int
    preprocessing: Preprocessing
    weights_sha256: str
    blocks_sha256: str
    """of the parameters and buffers of all blocks, the head left out: equal blocks give equal features"""
    source_val_accuracy: float | None
    """of the pretraining on the source's validation split; null for published weights"""


class ModelCard(Record):
    """What travels with the model: models/final/card.json."""

    schema_version: Literal[1] = 1
    graft_version: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    preprocessing_sha256: str
    network: str
    origin: str
    arm: Arm
    strategy: StrategyName
    seed: int
    verdict: Outcome
    verdict_sentence: str
    test_accuracy: float
    n_test_images: int
    calibrated: Literal[False] = False
    """probabilities are a plain softmax in this version"""
    model_sha256: str
    """of model.onnx beside this card"""
    weights_sha256: str
    data_sha256: str
