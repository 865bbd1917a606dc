"""The rules for images that two domains share, as equal files or as near duplicates."""

from graft.params.data import ValidateData
from graft.validation.rules import Rule, Severity


def overlap_rules() -> tuple[Rule, ...]:
    """Rules for files of which another domain has an equal one."""
    return (
        Rule(
            "test images of the target in the source", "critical", "in_source_and_test", None, 0,
            "These files are equal: delete the one in the source, or results on test are too good.",
            "sha256", "domain",
        ),
        Rule(
            "test images of the target among unlabelled images", "critical", "in_unlabelled_and_test", None, 0,
            "These files are equal: delete the one in target_unlabeled, or results on test are too good.",
            "sha256", "domain",
        ),
        Rule(
            "train or val images of the target among unlabelled images", "warning", "in_unlabelled_and_train", None, 0,
            "These files are equal: nothing is wrong, but such an image counts more than the others. Delete the one in "
            "target_unlabeled if it should not.",
            "sha256", "domain",
        ),
    )  # fmt: skip


def near_overlap_rules(params: ValidateData) -> tuple[Rule, ...]:
    """Rules for pairs of images of two domains that are nearly the same."""
    across: Severity = "critical" if params.on_near_duplicates == "fail" else "warning"
    return (
        Rule(
            "near duplicates of test images of the target in the source", across, "in_source_and_test", None, 0,
            "Look at these pictures and delete the one in the source, or results on test are too good; if they "
            "are different images, set `validate_data.on_near_duplicates: warn`.",
        ),
        Rule(
            "near duplicates of test images of the target among unlabelled images", across, "in_unlabelled_and_test",
            None, 0,
            "Look at these pictures and delete the one in target_unlabeled, or results on test are too good; if they "
            "are different images, set `validate_data.on_near_duplicates: warn`.",
        ),
        Rule(
            "near duplicates of train or val images of the target among unlabelled images", "warning",
            "in_unlabelled_and_train", None, 0,
            "Look at these pictures: such images count more than the others.",
        ),
    )  # fmt: skip
