"""Cards that accompany weights: one for the backbone, one for the shipped model."""

from typing import Literal

from graft.records.common import Arm, LabelsFrom, Metric, NoOutcome, Outcome, Preprocessing, Record, StrategyName


class BackboneCard(Record):
    """Where the backbone comes from. The card is in the folder of its weights."""

    schema_version: Literal[3] = 3
    network: str
    origin: str
    """`pretrain`, `torchvision NAME` or `file NAME`"""
    read_as: str
    """what was stripped or ignored in the weights file, such as a common prefix of all names; empty if nothing was"""
    blocks: tuple[str, ...]
    """names of the blocks from input to output, without the head"""
    n_features: int
    preprocessing: Preprocessing
    weights_sha256: str
    source_head: bool
    """whether the weights hold the head for the classes of their source; false where published weights have none that
    is one linear layer of the features: their head is then random"""
    blocks_sha256: str
    """hash of the parameters and buffers of all blocks, without the head; equal blocks give equal features"""
    source_val_accuracy: float | None
    """accuracy on the validation split of the source after pretraining; null for published weights"""


class ModelCard(Record):
    """What accompanies the shipped model: models/final/card.json."""

    schema_version: Literal[2] = 2
    graft_version: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    preprocessing_sha256: str
    network: str
    origin: str
    arm: Arm
    strategy: StrategyName
    seed: int
    labels_from: LabelsFrom = "target"
    """the domain whose labels the network learned from"""
    verdict: Outcome | NoOutcome
    """NONE: there are no labelled images of the target, and the network was never tried on any"""
    verdict_sentence: str
    metric: Metric | None
    """the metric that decided the verdict; null without one"""
    test_score: float | None
    """the shipped model on the test split by this metric; null without a verdict"""
    n_test_images: int
    calibrated: Literal[False] = False
    """false in this version: probabilities are a plain softmax"""
    model_sha256: str
    """sha256 of model.onnx in the folder of this card"""
    data_files: dict[str, str]
    """sha256 by name of the external files that hold the weights of model.onnx; empty if it holds them itself"""
    weights_sha256: str
    data_sha256: str
