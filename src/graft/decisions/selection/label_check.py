"""Labels that a classifier on frozen features contradicts. They are shown to a person and never changed."""

from graft.decisions.selection.choice import Target
from graft.records.checks import LabelCheck, Suspect
from graft.records.common import SHA256_DIGITS
from graft.statistics.features.confident_learning import Doubts, doubtful_labels
from graft.statistics.features.probe import held_out_probabilities
from graft.statistics.groups import grouped_folds
from graft.store.catalogue import class_names, labelled

# Largest number of suspects in the record.
MOST_SUSPECTS = 50
NO_LABELS = LabelCheck(
    n_images=0,
    accuracy=None,
    n_suspects=0,
    n_right=0.0,
    suspects=(),
    sentence="No label was checked: the target has no labels to train on, and those of its test split are not looked "
    "at before the verdict.",
)


def check_labels(target: Target, c: float | None, folds: int, seed: int) -> LabelCheck:
    """Find labels of train and val that a linear probe, which did not see them, considers more likely wrong than right.

    Labels of the test split are not checked. Correcting them by what a model says, before they have judged that model,
    would be a look at the test split.

    Args:
        target: cached features and catalogue.
        c: inverse regularisation of the probe; None where there are no labels to check.
        folds: number of folds of the cross-validation; a group is always in one fold.
        seed: seed of the folds.

    Raises:
        ValueError: a class has fewer than two images, or groups.
    """
    if c is None:
        return NO_LABELS
    classes = class_names(target.catalog)
    known = [each for each in target.catalog if each.row >= 0 and each.split != "test"]
    # known, images and the rows of probabilities are all in the order of the catalogue
    images = labelled(known, classes)
    # every image is judged by a probe that was fitted without its group
    cuts = grouped_folds(images.labels, images.groups, folds, seed)
    probabilities = held_out_probabilities(target.features[images.rows], images.labels, c, cuts)
    accuracy = float((probabilities.argmax(axis=1) == images.labels).mean())
    doubts = doubtful_labels(probabilities, images.labels)
    suspects = tuple(
        Suspect(
            image=known[place].sha256[:SHA256_DIGITS],
            path=known[place].path,
            label=known[place].label,
            suggested=classes[suggested],
            of_label=float(of_label),
            of_suggested=float(of_suggested),
        )
        for place, suggested, of_label, of_suggested in list(zip(*doubts[:4], strict=True))[:MOST_SUSPECTS]
    )
    return LabelCheck(
        n_images=len(known),
        accuracy=accuracy,
        n_suspects=len(doubts.places),
        n_right=float((1 - doubts.wrong).sum()),
        suspects=suspects,
        sentence=_sentence(len(known), accuracy, doubts),
    )


def _sentence(n_images: int, accuracy: float, doubts: Doubts) -> str:
    judge = f"a linear probe on frozen features, which gets {accuracy:.1%} of them right"
    k = len(doubts.places)
    if k == 0:
        return (
            f"None of the {n_images} labels of train and val looks wrong to {judge}; mix-ups of classes that look "
            "alike to it do not show."
        )
    looks = "looks" if k == 1 else "look"
    return (
        f"{k} of the {n_images} labels of train and val {looks} wrong to {judge}; about {(1 - doubts.wrong).sum():.0f} "
        "of them should be right after all. Look at the pictures; nothing was changed."
    )
