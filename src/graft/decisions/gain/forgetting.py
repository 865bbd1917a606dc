"""How well the tuned network still does on the source, with the head that it had there."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graft.decisions.gain.scoring import Scoring, difference_of, score_of
from graft.records.cards import BackboneCard
from graft.records.common import Split
from graft.records.gain import Forgetting, SeedForgetting
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
    source: Source | None, logits: tuple[Logits, Mapping[int, Logits | None]] | None, card: BackboneCard, level: float
) -> Forgetting:
    """Accuracy on the source before and after, or why there is none.

    Args:
        source: held-out images of the source.
        logits: (n, c) of the source's classes by the head from pretraining: on the pretrained blocks, and by seed on
            the tuned ones, or None if no block changed. None where there are no images.
        card: of the backbone.
        level: the intervals hold with a confidence of 1 minus this.
    """
    if source is None or logits is None:
        return _unmeasured("unknown", _why_unknown(card))
    if not any(each is not None for each in logits[1].values()):
        return _unmeasured("frozen", "No block changed in any seed, so nothing of the source is forgotten.")
    labels = source.images.labels
    on = Scoring(labels, source.images.groups, "accuracy", level)
    before = logits[0].argmax(axis=1) == labels
    # (k, n); a seed whose blocks did not change says what the pretrained network says
    after = np.stack([before if each is None else each.argmax(axis=1) == labels for each in logits[1].values()])
    scores = score_of(before[None], on), score_of(after, on), difference_of(after, before[None], on).interval
    return Forgetting(
        state="measured",
        seeds=tuple(
            SeedForgetting(seed=seed, after=float(right.mean())) for seed, right in zip(logits[1], after, strict=True)
        ),
        split=source.split,
        n_images=len(labels),
        before=scores[0],
        after=scores[1],
        difference=scores[2],
        sentence=(
            f"On {len(labels):,} {'validation' if source.split == 'val' else 'test'} images of the source the network "
            f"scored {100 * scores[0].estimate:.1f}% before it was tuned and scores {100 * scores[1].estimate:.1f}% "
            f"after, with the head that it had there (mean over {len(after)} seeds)."
        ),
    )


def _unmeasured(state: str, sentence: str) -> Forgetting:
    return Forgetting.model_validate(
        dict.fromkeys(("split", "before", "after", "difference"))
        | {"state": state, "seeds": (), "n_images": 0, "sentence": sentence}
    )


def _why_unknown(card: BackboneCard) -> str:
    if card.origin != "pretrain":
        return "Forgetting is not measured: published weights come without the images of their source."
    return "Forgetting is not measured: the source has no held-out images."
