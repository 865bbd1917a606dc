"""Whether the target differs from the source, how much, where, and in which images: data/records/shift.json."""

from typing import Literal

from graft.records.common import Interval, Linked, Record, Similarity

SourceKind = Literal["own", "proxy", "bn_stats", "none"]


class ShiftSource(Record):
    """What the target is compared with."""

    kind: SourceKind
    """own: the user's source images; proxy: a named bank of features; bn_stats: the running moments of the
    BatchNorm layers of the network; none: nothing"""
    name: str
    """name of the bank, the network or the folder; empty if there is none"""
    licence: str | None
    """licence of the images of the bank; null without a bank"""
    n_images: int


class TriedBandwidth(Record):
    """One kernel of the family that the test tried."""

    multiple: float
    """bandwidth as a multiple of the median squared distance between pooled rows"""
    bandwidth2: float
    mmd2: float | None
    """null if the kernel was dropped"""
    dropped: str | None
    """why the kernel was dropped; null if it was kept"""


class ShiftTest(Record):
    """Two-sample test: does the target differ at all?"""

    p_value: float
    n_permutations: int
    mmd2: float
    """statistic at the deciding bandwidth; as the largest of a family it overstates the size of the shift"""
    bandwidth2: float
    """deciding bandwidth"""
    bandwidths: tuple[TriedBandwidth, ...]
    null_mmd2: tuple[float, ...]
    """101 quantiles (0 to 1) of the permuted statistic, on the scale of `mmd2`"""
    method: Literal["exact", "binned"]
    bins: tuple[int, int]
    """number of permuted bins of source and target"""
    rows_used: tuple[int, int]
    """number of rows of source and target"""
    detectable_mmd2: float | None
    """value of `mmd2` above which p is at most 0.05; null if there is none"""
    detectable_shift: float | None
    """shift of every feature, in standard deviations, that the test detects at 0.05 with power 0.8; null if none is"""


class ShiftSize(Record):
    """How far the target is from the source. The p-value does not tell: with enough images it is always small."""

    mmd2: float
    """unbiased squared MMD at the median bandwidth: no unit, at most 2, may be negative"""
    interval: Interval | None
    """interval of `mmd2`; null if there are too few images or groups"""
    bandwidth2: float
    """median squared distance between pooled features"""
    confidence: float
    """confidence level of every interval in this record"""
    auc: Interval | None
    """area under the ROC curve of a linear classifier of the domain, on held-out images; null if there are too few"""
    a_distance: float | None
    """proxy A-distance of that classifier: 0 by chance, 2 if it is never wrong"""
    frechet: float
    """squared Frechet distance, in squared units of the features"""
    frechet_by_chance: float
    """the same distance between two random halves of the pooled images"""


class YardstickMark(Record):
    """How far one corruption moves the source from itself."""

    corruption: str
    severity: int
    """1 to 5"""
    mmd2: float


class CorruptionPlace(Record):
    """Place of the target on the scale of one corruption."""

    corruption: str
    severity: float
    """0 to 5"""


class ShiftYardstick(Record):
    """A scale for the distance of the target: how far named corruptions move the images of the source."""

    n_images: tuple[int, int]
    """number of images in the unchanged half of the source, and in the corrupted half"""
    clean: float
    """MMD^2 between the two halves before corruption, which is due to chance"""
    marks: tuple[YardstickMark, ...]
    noise: float
    """MMD^2 between the source and images of pure noise"""
    severity: float
    """place of the target, 0 to 5: the median over all corruptions that move the source"""
    severities: tuple[float, float] | None
    """places of the two ends of the interval of MMD^2; null if there is none"""
    by_corruption: tuple[CorruptionPlace, ...]
    """place by corruption, of those that move the source; their range is the uncertainty of the scale"""
    between: tuple[str, str | None]
    """a corruption that surely moves the source less than the target is away, and one that surely moves it more, such
    as pixelate 5 and noise 4, by the interval of MMD^2; null if none moves it more"""
    doubts: tuple[str, ...]
    """why similarity is unknown: it changes within the interval or without one corruption; empty if it is known"""


class BlockShift(Record):
    """How far the target is from the source in one block of the network."""

    block: str
    n_channels: int
    shift: Interval


class BlockProfile(Record):
    """Where in the network the target differs, block by block from input to output."""

    measure: Literal["mmd2", "divergence"]
    """mmd2: squared MMD of channel means; divergence: of channels from the running moments, in nats"""
    n_images: tuple[int, int]
    """number of images of source and target"""
    blocks: tuple[BlockShift, ...]


class ClassMoved(Record):
    """How far target images of a class are from source images of the class with the same name."""

    label: str
    n_source: int
    n_target: int
    mmd2: float
    p_value: float
    p_holm: float
    """p-value with Holm's correction for all tested classes"""


class LabelShift(Record):
    """How class shares differ, over the classes that both domains have."""

    classes: tuple[str, ...]
    source: tuple[float, ...]
    """class shares of the source"""
    target: tuple[float, ...]
    """class shares of the target by its labels"""
    total_variation: float
    """share of images that would have to change class, 0 to 1"""
    black_box: tuple[Interval, ...] | None
    """class shares of the target estimated without its labels, from the predictions of a probe of the source; valid
    only if images of a class look the same in both domains; null if the probe is too weak"""


class Witnesses(Record):
    """Images that show the difference, named by the leading digits of their sha256, the strongest first."""

    source_odd: tuple[str, ...]
    """source images that are rarest in the target"""
    source_typical: tuple[str, ...]
    """typical source images, for comparison"""
    target_odd: tuple[str, ...]
    """target images that are rarest in the source"""
    target_typical: tuple[str, ...]
    """typical target images, for comparison"""


class ShiftRecord(Linked):
    """How far the target is from the source: data/records/shift.json."""

    schema_version: Literal[3] = 3
    source: ShiftSource
    n_target: int
    n_features: int
    test: ShiftTest | None
    """null if there are no source features"""
    size: ShiftSize | None
    yardstick: ShiftYardstick | None
    profile: BlockProfile | None
    classes: tuple[ClassMoved, ...]
    """shared classes in the order of their names; empty if no class is shared"""
    labels: LabelShift | None
    """null if fewer than two classes are shared"""
    witnesses: Witnesses | None
    map_shares: tuple[float, float] | None
    """shares of the variance along the two axes of the map"""
    similarity: Similarity
    sentence: str
    """place of the target on the yardstick, in words"""
    remarks: tuple[str, ...]
    """further facts that a reader should know, one sentence each"""
    warnings: tuple[str, ...]
    """reasons to trust the result less, one sentence each"""
