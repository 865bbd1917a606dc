"""What stages hand on: frozen records, kept as small JSON files (graft.files).

Seconds, devices and versions are in none (graft.stage): the same seed on the same machine gives the same bytes.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "val", "test"]
Similarity = Literal["near", "mid", "far", "unknown"]
StrategyName = Literal["feature_extraction", "top_blocks", "full", "gradual", "surgical", "norms", "scratch"]
Outcome = Literal["POSITIVE", "NEGATIVE", "EQUIVALENT", "INCONCLUSIVE"]
Arm = Literal["transfer", "scratch"]
Budget = Literal["matched", "long"]


class Record(BaseModel):
    """A frozen finding; unknown keys are an error, so that an old file is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Linked(Record):
    """A record of a stage that read files of other stages."""

    made_from: dict[str, str] = {}
    """sha256 of these files, by the names of the stage's options; graft.lineage holds them against what lies there"""


class Preprocessing(Record):
    """How bytes become what the network sees; the one source for pipeline, export and service."""

    resize_px: int
    """the shorter side after the resize, in pixels"""
    crop_px: int
    """side of the square centre crop, in pixels"""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """RGB values are scaled to [0, 1], less the mean, and divided by the standard deviation"""
    interpolation: Literal["bilinear", "bicubic"]
    """of the resize"""
    value_bits: int | None = None
    """bits in use of grey files that hold 16, whose largest value becomes white; null: no such file told"""
    max_pixels: int = 25_000_000
    """largest width times height of a file; the default is what the service took before cards named it"""


class Quarantined(Record):
    """An image file that cannot be read: it stays in the catalogue and takes part in nothing else."""

    path: str
    """relative to the folder of the domain"""
    reason: str


class LeftOut(Record):
    """Files that are left out because of their names, or because no table gives them a label."""

    kind: Literal["hidden", "system_folder", "system_file", "unlabelled"]
    """hidden: with a dot before the name; system: of an operating system, disk station or archiver"""
    n_files: int
    """of hidden ones, those that an image's suffix marks"""
    paths: tuple[str, ...]
    """files, and folders with all that lies below, the first 10, relative to the folder of the domain"""


class Domain(Record):
    """The images of one side, source or target."""

    present: bool
    n_images: int
    n_undecodable: int
    classes: tuple[str, ...]
    counts: dict[Split, dict[str, int]]
    """readable images by split and class"""
    sha256: str
    """of the catalogue's paths, labels, splits, groups and image hashes"""
    store_sha256: str
    """of the image store's file, as `sha256sum` prints it"""
    quarantine: tuple[Quarantined, ...]
    """files that cannot be read, the first 1,000 by path; n_undecodable counts all of them"""
    value_bits: int | None = None
    """bits in use of grey files that hold 16: recognised, or images.value_bits; null: there are no such files"""
    left_out: tuple[LeftOut, ...] = ()
    """what lies among the images and takes part in nothing"""
    table_doubts: tuple[str, ...] = ()
    """what looks like a mistake in the table of labels, a sentence each"""


class CatalogRecord(Record):
    """What prepare_data found and made: data/records/catalog.json."""

    schema_version: Literal[2] = 2
    dataset: Literal["example", "folders"]
    preprocessing: Preprocessing
    source: Domain
    target: Domain


class Finding(Record):
    """One fault that was looked for in the data and what came of it."""

    name: str
    """the fault, in the plural: `no <name>` is what is wanted"""
    severity: Literal["critical", "warning"]
    ok: bool
    n_unexpected: int
    examples: tuple[str, ...]
    """at most 10 paths or classes that have it"""
    advice: str
    """what to do, one sentence"""


class ValidationRecord(Linked):
    """What validate_data found: data/records/validation.json."""

    schema_version: Literal[2] = 2
    ok: bool
    """no critical finding"""
    findings: tuple[Finding, ...]


class Epoch(Record):
    """A point of a training curve."""

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float


class Trial(Record):
    """One hyper-parameter tried on validation."""

    budget: Budget
    rate: float
    n_seeds: int
    """that the choice rests on: of two trials, those with as many compare best, for they saw the same seeds"""
    val_accuracy: float
    val_loss: float
    """both are means over these seeds"""


class PhaseRecord(Record):
    """One phase of a run, from what it trained to what came of it."""

    name: str
    trained: tuple[str, ...]
    """blocks and head that learnt, from input to output"""
    epochs: int
    val_accuracy: float
    """the best so far when it ended"""
    rolled_back: bool
    """it ended no better than it began, and its weights were dropped"""
    frozen_sha256: str | None
    """of all parameters and buffers that it had to leave alone, equal before and after; null: it trained all"""


class RateCurve(Record):
    """Loss while the learning rate rises."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """running mean"""
    suggested: float
    """well below the rate at which the loss rises again"""


class Run(Record):
    """One seed of one arm, its best epoch on validation."""

    seed: int
    budget: Budget
    best_epoch: int
    """0: the start of the run, before any step"""
    val_accuracy: float
    val_loss: float
    weights_sha256: str
    curve: tuple[Epoch, ...]
    phases: tuple[PhaseRecord, ...]


class TrainingRecord(Linked):
    """How one arm was trained: models/records/training.json and scratch.json."""

    schema_version: Literal[3] = 3
    arm: Arm
    strategy: StrategyName
    network: str
    rate: float
    """the chosen learning rate of the head; where it was fitted in closed form the inverse regularisation C"""
    block_rates: dict[str, float]
    """learning rate by block, from input to output, head last; 0: frozen"""
    batchnorm: Literal["frozen", "adapt", "train"]
    """policy for the statistics of BatchNorm in blocks that learn"""
    flip: float
    """probability that a training image was mirrored; 0 where the head was fitted to the images themselves"""
    rate_curve: RateCurve | None
    """null: training.find_rate is off, or nothing was trained by steps"""
    budget: Budget
    """the budget that counts: the stronger on validation"""
    trials: tuple[Trial, ...]
    runs: tuple[Run, ...]
    """one a seed, of the budget that counts"""

    @property
    def in_closed_form(self) -> bool:
        """A linear head on frozen features is fitted at once; all else is trained, epoch by epoch."""
        return self.strategy == "feature_extraction" and not any(run.curve for run in self.runs)


class Interval(Record):
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float


class ExportRecord(Linked):
    """Does the ONNX file say what torch says: models/records/export.json."""

    schema_version: Literal[1] = 1
    onnx_sha256: str
    data_files: dict[str, str]
    """sha256 by name of the files beside model.onnx that hold its weights; empty where model.onnx holds them itself"""
    opset: int
    n_images: int
    batch_sizes: tuple[int, ...]
    max_logit_difference: float
    """largest absolute difference of a logit over all images and batch sizes"""
    logit_tolerance: float
    logit_std: float
    """spread of the logits, so that a difference means something"""
    top1_agreement: float
    """share of images with the same top class, at the worst batch size; ties within the tolerance may differ"""


class Reason(Record):
    """One check of the gate."""

    check: str
    level: Literal["pass", "warn", "fail"]
    sentence: str
    """number, limit and the param to change"""


class GateRecord(Linked):
    """Whether the model may be released: models/records/gate.json."""

    schema_version: Literal[1] = 1
    passed: bool
    model_sha256: str
    reasons: tuple[Reason, ...]
    next_steps: tuple[str, ...]
    """what to try next, the most pressing first"""
