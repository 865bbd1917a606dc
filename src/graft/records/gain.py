"""What transfer gains beyond the verdict: models/records/gain.json."""

from typing import Literal

from graft.records.common import Interval, Linked, Metric, Record, Split


class LabelPoint(Record):
    """Test scores of the arms when both learn from the same share of the labels."""

    share: float
    """share of the labels of train"""
    n_labels: int | None
    """number of labels that a seed learns from, mean over seeds; null if only the arms with all labels were trained"""
    n_seeds: int
    """number of seeds that both arms were trained with; with one, the intervals hold for new test images alone"""
    transfer: Interval | None
    """score of the chosen strategy; null if it was not trained"""
    scratch: Interval | None
    difference: Interval | None
    """transfer minus scratch, paired by seed and image"""
    head: Interval | None
    """score of a linear head on features of the unmodified backbone; null if none was fitted"""


class LabelCurve(Record):
    """Scores by number of labels."""

    points: tuple[LabelPoint, ...]
    """by share, the smallest first; the last has all labels"""
    sentence: str


class SeedSteps(Record):
    """Optimizer steps until the validation accuracy of a seed first reaches the target."""

    seed: int
    transfer: int | None
    """0 if the target is reached before any step; null if it is never reached"""
    scratch: int | None


class Speed(Record):
    """How soon transfer is as good as the control is in the end."""

    target: float | None
    """validation accuracy that the control ends with, mean over seeds; null where validation is not of the target"""
    seeds: tuple[SeedSteps, ...]
    """empty if the transfer arm takes no steps"""
    ratio: Interval | None
    """steps of the control divided by those of transfer, geometric mean over seeds; null if a seed of transfer does not
    reach the target, or reaches it before any step"""
    at_least: bool
    """true if the ratio is a lower limit: a seed of the control never reaches the target and counts with all its steps,
    or a seed of transfer reaches it in its first epoch"""
    sentence: str


class ClassGain(Record):
    """Recall of one class in both arms."""

    name: str
    n_images: int
    """number of test images of the class"""
    transfer: float
    """recall of the transfer arm, mean over seeds"""
    scratch: float
    difference: Interval | None
    """transfer minus scratch; null if the class has only one image, or one group of images"""
    n_seeds_worse: int
    """number of seeds in which transfer has the lower recall"""
    p_holm: float | None
    """p-value of the difference with Holm's correction for all classes; null where the difference is null"""
    worse: bool
    """true if the class is worse with transfer, with Holm's correction"""
    least_harm: float | None
    """smallest loss of recall that a class of this size would show four times in five; null if it would show none"""


class Classes(Record):
    """Which classes transfer made worse."""

    scores: tuple[ClassGain, ...]
    """one per class of the test split, in the order of the classes"""
    sentence: str


class SeedForgetting(Record):
    """Accuracy on the source of one tuned network."""

    seed: int
    after: float
    """accuracy of its blocks with the old head; that from before if no block changed"""


class Forgetting(Record):
    """How well the network still does on the source after it was tuned, with the head that it had there."""

    state: Literal["measured", "frozen", "unknown"]
    """frozen: no block changed, so nothing is forgotten; unknown: it cannot be measured"""
    seeds: tuple[SeedForgetting, ...]
    """the tuned network of every seed of the transfer arm; empty if nothing was measured"""
    split: Split | None
    """split of the source"""
    n_images: int
    before: Interval | None
    """accuracy of the pretrained network; the interval holds for new source images"""
    after: Interval | None
    """accuracy of the tuned blocks with the old head, mean over seeds; this interval and the next hold for new seeds
    and new source images"""
    difference: Interval | None
    """after minus before, mean over seeds"""
    sentence: str


class SmallNetwork(Record):
    """A small network from random start, as a further baseline."""

    network: str
    seed: int
    score: Interval
    """the interval holds for new test images alone"""
    difference: Interval
    """transfer minus this network, for the same seed"""


class ResetBlock(Record):
    """The pretrained network with its top blocks at random start instead."""

    block: str
    """lowest block that was re-initialised; all blocks above it were, too"""
    score: Interval
    difference: Interval
    """what the pretrained weights of this block add: the score with one block fewer re-initialised minus this score"""
    p_holm: float
    """p-value of the difference with Holm's correction for all blocks"""


class Why(Record):
    """Where the gain comes from."""

    n_seeds: int
    features: Interval | None
    """transfer minus a network whose pretrained weights were shuffled within each layer; null if it was not trained"""
    scale: Interval | None
    """that network minus scratch: what the statistics of the weights add without any feature"""
    resets: tuple[ResetBlock, ...]
    """from the top block down"""
    harmful: str | None
    """block whose pretrained weights lower the score, with Holm's correction"""
    sentence: str


class GainRecord(Linked):
    """What transfer gains beyond the verdict: models/records/gain.json."""

    schema_version: Literal[2] = 2
    metric: Metric | None
    """metric of all test scores but recalls and forgetting, as in the verdict; null where there is no verdict"""
    level: float
    """all intervals hold with a confidence of 1 minus this"""
    majority: float | None
    """score of always predicting the most frequent class of train; null where there is no verdict"""
    labels: LabelCurve
    speed: Speed
    classes: Classes
    forgetting: Forgetting
    small: SmallNetwork | None
    """null if none was trained"""
    why: Why | None
    """null if the controls of `training.budget: thorough` were not trained"""
