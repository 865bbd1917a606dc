"""What measure_shift hands on: whether the target differs from the source, how much, where, and in which images."""

from typing import Literal

from graft.records.common import Interval, Linked, Record, Similarity

SourceKind = Literal["own", "proxy", "bn_stats", "none"]


class ShiftSource(Record):
    """What the target was held against."""

    kind: SourceKind
    """own: the user's source images; proxy: a named bank of features; bn_stats: the running moments of the
    network's BatchNorm layers; none: nothing"""
    name: str
    """of the bank, of the network, or of the folder; empty where there is nothing"""
    licence: str | None
    """of the bank's images; null without a bank"""
    n_images: int


class TriedBandwidth(Record):
    """One kernel of the family."""

    multiple: float
    """of the median of squared distances between pooled rows"""
    bandwidth2: float
    mmd2: float | None
    """null: dropped"""
    dropped: str | None
    """why; null: kept"""


class ShiftTest(Record):
    """Does the target differ at all: the two-sample test."""

    p_value: float
    n_permutations: int
    mmd2: float
    """at the bandwidth that decided: the largest of a family, so too large for a size"""
    bandwidth2: float
    """that decided"""
    bandwidths: tuple[TriedBandwidth, ...]
    null_mmd2: tuple[float, ...]
    """101 quantiles, 0 to 1, of the statistic under permutation on the scale of mmd2"""
    method: Literal["exact", "binned"]
    bins: tuple[int, int]
    """that were exchanged, of source and target"""
    rows_used: tuple[int, int]
    detectable_mmd2: float | None
    """mmd2 above which p is at most 0.05; null: p never is"""
    detectable_shift: float | None
    """of every feature, in standard deviations, that is found at 0.05 in four of five cases; null: none is"""


class ShiftSize(Record):
    """How far the target lies from the source: with enough images every p is small."""

    mmd2: float
    """unbiased squared MMD at the median bandwidth, no unit, at most 2, may be negative"""
    interval: Interval | None
    """of mmd2; null: too few images or groups"""
    bandwidth2: float
    """pooled median of squared distances between features"""
    confidence: float
    """of every interval in this record"""
    auc: Interval | None
    """of a linear classifier that tells target from source on images it has not seen; null: too few images"""
    a_distance: float | None
    """of that classifier, 0 is chance, 2 is told apart always"""
    frechet: float
    """squared Frechet distance, squared units of the features"""
    frechet_by_chance: float
    """the same between two random divisions of the pooled images"""


class YardstickMark(Record):
    """How far the source moves from itself under one corruption."""

    corruption: str
    severity: int
    """1 to 5"""
    mmd2: float


class CorruptionPlace(Record):
    """Where the target lies among the marks of one corruption."""

    corruption: str
    severity: float
    """0 to 5"""


class ShiftYardstick(Record):
    """The source's own images, corrupted, as a scale for the target's distance."""

    n_images: tuple[int, int]
    """of the half that stays as it is, and of the corrupted one"""
    clean: float
    """MMD^2 of the two halves as they are: what chance makes"""
    marks: tuple[YardstickMark, ...]
    noise: float
    """MMD^2 of the source from images of pure noise"""
    severity: float
    """place of the target, 0 to 5: the median over the corruptions that move the source"""
    severities: tuple[float, float] | None
    """places of the ends of the interval of MMD^2; null: there is none"""
    by_corruption: tuple[CorruptionPlace, ...]
    """the same by each corruption that moves the source: the range of these is how much the scale leaves open"""
    between: tuple[str, str | None]
    """what moves the source surely less, and what surely more, such as pixelate 5 and noise 4, by the interval of
    MMD^2; null: nothing does"""
    doubts: tuple[str, ...]
    """why similarity is unknown: the interval, or leaving one corruption out, changes it; empty: it is known"""


class BlockShift(Record):
    """How far the target lies from the source in one block of the network."""

    block: str
    n_channels: int
    shift: Interval


class BlockProfile(Record):
    """Where in the network the target differs, from input to output."""

    measure: Literal["mmd2", "divergence"]
    """mmd2: squared MMD of the channels' means; divergence: of channels from the running moments, in nats"""
    n_images: tuple[int, int]
    """of source and target that it was measured on"""
    blocks: tuple[BlockShift, ...]


class ClassMoved(Record):
    """How far the target's images of a class lie from the source's of the same name."""

    label: str
    n_source: int
    n_target: int
    mmd2: float
    p_value: float
    p_holm: float
    """corrected for all classes tested"""


class LabelShift(Record):
    """How the mix of classes differs, over the classes that both domains have."""

    classes: tuple[str, ...]
    source: tuple[float, ...]
    """shares"""
    target: tuple[float, ...]
    """shares by the labels"""
    total_variation: float
    """share of images that would have to change class, 0 to 1"""
    black_box: tuple[Interval, ...] | None
    """shares of the target as the predictions of a probe of the source tell them, labels unused; true only where
    the images of a class look the same in both domains; null: the probe tells too little"""


class Witnesses(Record):
    """Images by the first 12 hex digits of their sha256, the strongest first."""

    source_odd: tuple[str, ...]
    """source images that the target has least of: they make the difference most"""
    source_typical: tuple[str, ...]
    target_odd: tuple[str, ...]
    """target images that the source has least of"""
    target_typical: tuple[str, ...]


class ShiftRecord(Linked):
    """How far the target lies from the source: data/records/shift.json."""

    schema_version: Literal[3] = 3
    source: ShiftSource
    n_target: int
    n_features: int
    test: ShiftTest | None
    """null without source features"""
    size: ShiftSize | None
    yardstick: ShiftYardstick | None
    profile: BlockProfile | None
    classes: tuple[ClassMoved, ...]
    """by the name of the class; empty where no class is shared"""
    labels: LabelShift | None
    """null: fewer than two shared classes"""
    witnesses: Witnesses | None
    map_shares: tuple[float, float] | None
    """of the variance along the two axes of the map"""
    similarity: Similarity
    sentence: str
    """the target's place"""
    remarks: tuple[str, ...]
    """what else a reader should know, a sentence each"""
    warnings: tuple[str, ...]
    """why to trust this less"""
