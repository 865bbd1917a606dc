"""How well the tuned network still does on the source, with the head that it had there."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.gain.scoring import Scoring, difference_of, score_of
from graft.records.cards import BackboneCard
from graft.records.common import Split
from graft.records.gain import Forgetting
from graft.store.catalogue import CatalogRow, Labelled, class_names, labelled

Logits = NDArray[np.float32]
# Images of the source that are looked at: enough for an interval of about 2 points.
MOST_IMAGES = 2_000


class Source(NamedTuple):
    """Held-out images of the source."""

    images: Labelled
    split: Split


def held_out(catalog: Iterable[CatalogRow], card: BackboneCard) -> Source | None:
    """Images of the source that pretraining did not learn from; None where its head is not kept or there are none.

    Args:
        catalog: the source's catalogue.
        card: of the backbone.

    Returns:
        At most MOST_IMAGES images, drawn where there are more.
    """
    rows = tuple(catalog)
    if card.origin != "pretrain":
        return None
    # images of validation chose the epoch of pretraining: second best
    for split in ("test", "val"):
        found = labelled(rows, class_names(rows), split)
        if len(found.rows):
            return Source(_drawn(found), split)
    return None


def _drawn(found: Labelled) -> Labelled:
    order = np.random.default_rng(0).permutation(len(found.rows))
    chosen = np.sort(order[:MOST_IMAGES])
    return Labelled(found.rows[chosen], found.labels[chosen], found.groups[chosen], found.sha256[chosen])


def forgetting_of(
    source: Source | None, logits: tuple[Logits, Logits | None] | None, seed: int, card: BackboneCard, level: float
) -> Forgetting:
    """Accuracy on the source before and after, or why there is none.

    Args:
        source: held-out images of the source.
        logits: (n, c) of the source's classes by the head from pretraining: on the pretrained blocks, and on the tuned
            ones or None if no block changed. None where there are no images.
        seed: seed of the tuned network.
        card: of the backbone.
        level: the intervals hold with a confidence of 1 minus this.
    """
    if source is None or logits is None:
        return _unmeasured("unknown", _why_unknown(card))
    if logits[1] is None:
        return _unmeasured("frozen", "No block changed in the chosen strategy, so nothing of the source is forgotten.")
    labels = source.images.labels
    on = Scoring(labels, source.images.groups, "accuracy", level)
    before, after = ((each.argmax(axis=1) == labels)[None] for each in (logits[0], logits[1]))
    scores = score_of(before, on), score_of(after, on), difference_of(after, before, on).interval
    return Forgetting(
        state="measured",
        seed=seed,
        split=source.split,
        n_images=len(labels),
        before=scores[0],
        after=scores[1],
        difference=scores[2],
        sentence=(
            f"On {len(labels):,} {'validation' if source.split == 'val' else 'test'} images of the source the network "
            f"scored {100 * scores[0].estimate:.1f}% before it was tuned and scores {100 * scores[1].estimate:.1f}% "
            f"after, with the head that it had there (seed {seed})."
        ),
    )


def _unmeasured(state: str, sentence: str) -> Forgetting:
    return Forgetting.model_validate(
        dict.fromkeys(("seed", "split", "before", "after", "difference"))
        | {"state": state, "n_images": 0, "sentence": sentence}
    )


def _why_unknown(card: BackboneCard) -> str:
    if card.origin != "pretrain":
        return "Forgetting is not measured: published weights come without the images, and the head, of their source."
    return "Forgetting is not measured: the source has no held-out images."
