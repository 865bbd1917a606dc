"""The rules of validation: limits on columns of the tables of images, near duplicates, classes, splits and domains."""

from typing import Literal, NamedTuple

from graft.images.duplicates.chains import MOST_SHARE
from graft.params.data import ValidateData

Severity = Literal["critical", "warning"]

# Longest side by shortest side of an image that is seen whole; prepare_data cuts the ends of longer ones. Equal to
# images.resizing.MAX_ASPECT, which is not imported: an edit of the resize code would re-run validate_data.
MAX_ASPECT = 16
# Train images of the largest class by those of the smallest.
MAX_SKEW = 10
# A split with a smaller share of the images may be small by mistake.
SMALL_SHARE = 0.05
# Share of a split's images that would have to change class for its class distribution to equal that of train.
MAX_LABEL_SHIFT = 0.1
# AUC of a classifier between two splits; it counts only if its whole interval is above chance (0.5).
MAX_AUC = 0.55
# Number of values from the darkest to the brightest of all pixels; photographs and scans use nearly all 256.
MOST_NARROW = 64
# Smallest standard deviation that the catalogue's rounding can hold.
SOME_DEVIATION = 1e-4
# How well brightness, colour and bytes may predict the class: 0 is guessing, 1 is always right. Subjects differ in
# them; sound data reached at most 0.26 (docs/decisions/shortcuts.md).
MOST_BY_CONTENT = 0.35
# The same for width, height and format, in which subjects hardly differ.
MOST_BY_FORM = 0.1
# Share of grey images, if the weights were made on colour.
MAX_GREY = 0.5
# Comes before any advice to cut new splits, which would undo a test set that was kept apart with care.
ASK_FIRST = (
    "Is one of them meant to come from elsewhere (another site, year or device)? Then keep the splits as they are: "
    "test shows how the model does there."
)
# Both kinds of facts get this advice: a legitimate difference between subjects looks the same as a shortcut.
LOOK_WHETHER = "Look at pictures of each class, and find out whether this is the subject,"
OR_TRACE = (
    "or a trace of how the pictures were made, such as a camera, a program or an archive for one class. A model learns "
    "such a trace in place of the subject, and a test split made the same way does not show it: make all classes alike."
)


class Rule(NamedTuple):
    """The values of a column lie between two limits, both included; empty values are ignored."""

    name: str
    """the fault, in the plural, of rows that break the rule: `no <name>` is what is wanted"""
    severity: Severity
    column: str
    least: float | None
    most: float | None
    advice: str
    same: str | None = None
    """column whose equal values mark rows that break the rule together, such as equal images"""
    differ: str | None = None
    """column in which such rows differ from one another"""


def store_rules() -> tuple[Rule, ...]:
    """Rules for the image store of a domain."""
    return (
        Rule(
            "damaged image stores", "critical", "whole", 1, 1,
            "Run `dvc repro --force --single-item prepare_data` to make them again. If that recurs, check the disk.",
        ),
    )  # fmt: skip


def image_rules(params: ValidateData) -> tuple[Rule, ...]:
    """Rules for every image file."""
    return (*_readable_rules(params), *_copy_rules(), *_shape_rules())


def _readable_rules(params: ValidateData) -> tuple[Rule, ...]:
    unreadable: Severity = "warning" if params.on_undecodable == "quarantine" else "critical"
    return (
        Rule(
            "unreadable images", unreadable, "readable", 1, 1,
            "Replace or delete these files; with `validate_data.on_undecodable: quarantine` they are left out.",
        ),
        Rule(
            f"images of under {params.min_side_px} px on the smaller side", "warning", "min_side",
            params.min_side_px, None,
            "Replace them by larger ones, or lower validate_data.min_side_px.",
        ),
    )  # fmt: skip


def _copy_rules() -> tuple[Rule, ...]:
    """Rules for files, groups and names that occur more than once."""
    return (
        Rule(
            "images in two splits", "critical", "splits_of_image", None, 1,
            "These files are equal: keep each image in one split, or results on test are too good.",
            "image", "split",
        ),
        Rule(
            "images under two classes", "critical", "labels_of_image", None, 1,
            "These files are equal: decide which class is right and delete the other file.",
            "image", "label",
        ),
        Rule(
            "groups in two splits", "critical", "splits_of_group", None, 1,
            "Move all images of a group into one split, or results on test are too good.",
            "group_of_domain", "split",
        ),
        Rule(
            "images twice in one split", "warning", "copies_in_split", None, 1,
            "These files are equal: delete all but one, or the image counts more than the others.",
            "image", "file",
        ),
        Rule(
            "files whose names differ only in case", "warning", "names_alike", None, 1,
            "Rename one of them: a disk that ignores case, as on macOS and Windows, keeps only one.",
            "name_ignoring_case", "file",
        ),
    )  # fmt: skip


def _shape_rules() -> tuple[Rule, ...]:
    """Rules for the frames, the shape and the contrast of an image."""
    return (
        Rule(
            "files of several frames or pages", "warning", "frames", None, 1,
            "Only the first is used: save the others as files of their own if they should count.",
        ),
        Rule(
            f"images more than {MAX_ASPECT} times as long as wide", "warning", "stretch", None, MAX_ASPECT,
            "The two ends beyond that are cut off: divide such images into pieces.",
        ),
        Rule(
            "images of one colour throughout", "warning", "deviation", SOME_DEVIATION, None,
            "Look at these files: there is nothing to see in them, or they are fully transparent.",
        ),
    )  # fmt: skip


def left_rules() -> tuple[Rule, ...]:
    """Rules for files that are left out, and for a table of labels."""
    return (
        Rule(
            "images in hidden folders or files", "warning", "hidden", None, 0,
            "They are left out: rename those that should count so that no name begins with a dot, or delete them.",
        ),
        Rule(
            "folders of operating systems, disk stations or archivers", "warning", "system_folder", None, 0,
            "They are left out, with the thumbnails and copies in them: nothing needs to be done, or delete them.",
        ),
        Rule(
            "images without a label in labels.csv", "warning", "unlabelled", None, 0,
            "They are left out: add rows for those that should count. To use them without labels, move them to "
            "data/raw/target_unlabeled.",
        ),
        Rule(
            "doubts about the table of labels", "warning", "doubtful", None, 0,
            "The table is used as it is: check labels.csv, and change it if it is wrong.",
        ),
    )  # fmt: skip


def name_rules(advice: str) -> tuple[Rule, ...]:
    """Rule for file names if the user names no groups; its advice has the line for params.yaml."""
    return (
        Rule("names that look like frames, patients or sites without groups", "warning", "untold", None, 0, advice),
    )


def pair_rules(params: ValidateData) -> tuple[Rule, ...]:
    """Rules for pairs of images of a domain that are nearly the same."""
    across: Severity = "critical" if params.on_near_duplicates == "fail" else "warning"
    return (
        Rule(
            "near duplicates in two splits", across, "in_two_splits", None, 0,
            "Look at these pictures and keep such images in one split, or results on test are too good; if they "
            "are different images, set `validate_data.on_near_duplicates: warn`.",
        ),
        Rule(
            "near duplicates under two classes", "warning", "under_two_classes", None, 0,
            "Look at these pictures: if they show the same thing, one of the two classes is wrong.",
        ),
        Rule(
            "near duplicates in one split", "warning", "in_one_split", None, 0,
            "Look at these pictures: such images count more than the others. graft keeps them in one group.",
        ),
        Rule(
            f"near duplicates that connect over {MOST_SHARE:.0%} of a class", "warning", "chained", None, MOST_SHARE,
            "So many images look alike when a camera stands still: they are not joined into groups, and no pair of "
            "them is reported. If they are different images, lower prepare_data.near_duplicate_bits or set it to "
            "null; if they are frames of one scene, name the scene with prepare_data.group_pattern or group_file.",
        ),
    )  # fmt: skip


def class_rules(params: ValidateData) -> tuple[Rule, ...]:
    """Rules for every class."""
    expected = Rule(
        "classes that are not those of validate_data.classes", "critical", "expected", 1, 1,
        "Rename or remove these classes, or correct validate_data.classes.",
    )  # fmt: skip
    return (
        *(() if params.classes is None else (expected,)),
        Rule(
            "classes of the source that only look like one of the target", "warning", "spelt_alike", None, 0,
            "The names differ in case or in spaces at the ends: rename one, or they count as two classes.",
        ),
        Rule(
            "classes missing from a split", "critical", "fewest", 1, None,
            "Add readable images of these classes to the splits that lack them.",
        ),
        Rule(
            f"classes of under {params.min_images_per_class} readable train images", "critical", "train",
            params.min_images_per_class, None,
            "Add images, leave the class out, or lower validate_data.min_images_per_class.",
        ),
        Rule(
            f"classes over {MAX_SKEW} times smaller than the largest", "warning", "times_smaller", None, MAX_SKEW,
            "Add images of these classes: accuracy tells little about them.",
        ),
    )  # fmt: skip


def split_rules() -> tuple[Rule, ...]:
    """Rules for the splits of a domain."""
    return (
        Rule(
            f"splits of under {SMALL_SHARE:.0%} of the images", "warning", "small_share", SMALL_SHARE, None,
            "Move images there: a choice made on a small validation split, or a judgement on a small test split, is "
            "left to chance.",
        ),
        Rule(
            "splits with another mix of classes than train", "warning", "label_shift", None, MAX_LABEL_SHIFT,
            f"{ASK_FIRST} If not, put all images into <class>/ folders without train, val and test, or remove the "
            "column split from labels.csv; graft then cuts the splits class by class.",
        ),
        Rule(
            "splits whose images can be told from train images", "warning", "told_apart", None, MAX_AUC,
            f"A classifier of small thumbnails tells these splits apart, class by class. {ASK_FIRST} If not, look "
            "for a camera, site or date that only one of them has, and cut new splits.",
        ),
    )  # fmt: skip


def look_rules() -> tuple[Rule, ...]:
    """Rules for the appearance of a domain's images as a whole."""
    return (
        Rule(
            "grey images where the weights were made on colour", "warning", "grey", None, MAX_GREY,
            "Find out where the colour was lost; if the images have none, expect less of these weights.",
        ),
        Rule(
            "images that look inverted", "warning", "inverted", None, 0,
            "Look at the pictures: if they are negatives, invert them.",
        ),
        Rule(
            "images that look normalised", "warning", "normalised", None, 0,
            "Save the images as they were before they were normalised; graft normalises them itself.",
        ),
        Rule(
            f"images that use {MOST_NARROW} or fewer of 256 values", "warning", "n_values", MOST_NARROW + 1, None,
            "Look at the pictures: 16-bit colour files with values of 10 to 14 bits, and masks of class numbers, look "
            "so. Save them with 8 bits, scaled to 0 to 255.",
        ),
        Rule(
            "16-bit files of the domains with different bits in use", "warning", "other_bits", None, 0,
            "Each domain is scaled by its own largest value: if one camera took both, set images.value_bits.",
        ),
    )  # fmt: skip


def shortcut_rules() -> tuple[Rule, ...]:
    """Rules for facts about the files, which should not predict the class."""
    return (
        Rule(
            "facts about brightness or file size that tell the class", "warning", "by_content", None, MOST_BY_CONTENT,
            f"{LOOK_WHETHER} as a digit 1 has less ink than an 8, {OR_TRACE}",
        ),
        Rule(
            "facts about image size or format that tell the class", "warning", "by_form", None, MOST_BY_FORM,
            f"{LOOK_WHETHER} as towers are taken upright, {OR_TRACE}",
        ),
    )  # fmt: skip
