"""Published decision tables, as five tutorials print them. They contradict one another, and their votes show it.

The rules are those of their authors, mapped to the strategies that graft can run: `careful` or `progressive`
fine-tuning and `the last half` become `full`; feature extraction with domain adaptation becomes feature extraction. A
rule that needs a similarity abstains if it is unknown.
"""

from collections.abc import Callable

from graft.records.common import Similarity, StrategyName
from graft.records.strategy import Vote

Answer = tuple[StrategyName | None, str]

FEW_IMAGES = 1_000
MANY_IMAGES = 10_000
FEW_A_CLASS = 100
SOME_A_CLASS = 1_000
MILLIONS = 1_000_000


def votes(n: int, n_per_class: int, similarity: Similarity) -> tuple[Vote, ...]:
    """Vote of each table.

    Args:
        n: number of target images in train.
        n_per_class: number of train images of the smallest class.
        similarity: similarity of target and source.
    """
    rows = []
    for name, rule in TABLES.items():
        strategy, reason = rule(n, n_per_class, similarity)
        rows.append(Vote(table=name, strategy=strategy, reason=reason))
    return tuple(rows)


def _lesson(n: int, n_per_class: int, similarity: Similarity) -> Answer:
    if n < FEW_IMAGES:
        return "feature_extraction", f"{n} images are fewer than {FEW_IMAGES:,}"
    if n > MANY_IMAGES:
        return "full", f"{n} images are more than {MANY_IMAGES:,}"
    if similarity in ("unknown", "mid"):
        return (
            None,
            f"for {FEW_IMAGES:,} to {MANY_IMAGES:,} images it asks for similar or different, known: {similarity}",
        )
    if similarity == "near":
        return "top_blocks", "a medium set of similar images: the top layers"
    return "full", "a medium set of different images: unfreeze progressively"


def _techniques(n: int, n_per_class: int, similarity: Similarity) -> Answer:
    return None, "its table names networks by size of the set, and no strategy"


def _theory(n: int, n_per_class: int, similarity: Similarity) -> Answer:
    if similarity in ("unknown", "mid"):
        return None, f"it asks for high or low similarity, known: {similarity}"
    small = n <= FEW_IMAGES
    if small:
        return (
            ("feature_extraction", "a small set of high similarity")
            if similarity == "near"
            else ("full", "a small set of low similarity: careful fine-tuning")
        )
    if similarity == "near":
        return "full", "a large set of high similarity"
    return "scratch", "a large set of low similarity"


def _wiki(n: int, n_per_class: int, similarity: Similarity) -> Answer:
    if n_per_class < FEW_A_CLASS:
        return "feature_extraction", f"{n_per_class} images a class are fewer than {FEW_A_CLASS}"
    if n_per_class < SOME_A_CLASS:
        return "top_blocks", f"{n_per_class} images a class: the last one or two blocks"
    if n > MANY_IMAGES and similarity == "far":
        return "scratch", f"more than {MANY_IMAGES:,} images, very different"
    return "full", f"{n_per_class} images a class: discriminative rates"


def _guide(n: int, n_per_class: int, similarity: Similarity) -> Answer:
    if n >= MILLIONS and similarity == "far":
        return "scratch", "millions of images, radically different"
    if n >= FEW_IMAGES:
        return "full", f"{n} images: a larger set is fine-tuned"
    if similarity == "unknown":
        return None, "for a small set it asks for the similarity, known: unknown"
    if similarity == "near":
        return "feature_extraction", "a small and very similar set"
    return "full", "a small set that is not very similar must be fine-tuned, frozen features are named an error"


TABLES: dict[str, Callable[[int, int, Similarity], Answer]] = {
    "course lesson": _lesson,
    "techniques guide": _techniques,
    "theory tutorial": _theory,
    "wiki page": _wiki,
    "strategy guide": _guide,
}
