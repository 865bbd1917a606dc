"""The cards that travel with weights: of the backbone, and of the model that ships."""

import hashlib
from typing import Literal

from graft.files import to_json
from graft.records.common import Arm, Outcome, Preprocessing, Record, StrategyName


def preprocessing_sha256(preprocessing: Preprocessing) -> str:
    """Hash of the preprocessing, so that a service with another one is noticed."""
    return hashlib.sha256(to_json(preprocessing).encode()).hexdigest()


class BackboneCard(Record):
    """Where the backbone comes from; lies beside its weights."""

    schema_version: Literal[2] = 2
    network: str
    origin: str
    """`pretrain`, `torchvision NAME` or `file NAME`"""
    read_as: str
    """what was taken off or left out of the file of weights, such as a prefix of all names; empty where nothing was"""
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
    data_files: dict[str, str]
    """sha256 by name of the files beside model.onnx that hold its weights; empty where model.onnx holds them itself"""
    weights_sha256: str
    data_sha256: str
