"""Numbers and sentences as a reader sees them, escaped for HTML and Markdown."""

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from graft.files import visible
from graft.wording import TECHNIQUE_WORDS, in_words

MINUS = "\u2212"
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SPECIAL_IN_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")
# Code hosts take text between two dollar signs for mathematics, even if they are escaped by a backslash.
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
# What code hosts turn into links, mentions and pictures: @name, #12, !12, ~label, GH-12, https://, www., :name:
REFERENCE = re.compile(r"[@#!$%&~](?=[\w\"'])|\bGH-(?=\d)|:(?=//|[\w+-]+:)|\bwww(?=\.)", re.IGNORECASE)
# What would open a list, a heading, the rule of a table or a command to the code host at the start of a line.
BLOCK = re.compile(r"^([-+=#:/])(?=[-=#:/\sa-z])|^(\d+)(?=[.)]\s)", re.IGNORECASE)
IDLE_ZERO = re.compile(r"\.0(?=%?$)")
STRATEGIES_OF_TWO_WORDS = ("feature_extraction", "top_blocks")
METRIC_WORDS = {
    "accuracy": "test accuracy",
    "balanced_accuracy": "balanced test accuracy",
    "nll": "negative log-likelihood",
}
ZERO_WIDTH_SPACE = "\u200b"


def percent(share: float) -> str:
    """A share as `93.1%`."""
    return f"{100 * share:.1f}%"


def points(share: float) -> str:
    """A difference of shares in percentage points with its sign: `+6.2`."""
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def number(value: float | None, digits: int = 3) -> str:
    """A number to the given significant digits, or to the whole if it is large. A dash stands for None."""
    if value is None:
        return "\u2013"
    whole = abs(value) >= 10**digits
    return (f"{value:.0f}" if whole else f"{value:.{digits}g}").replace("-", MINUS)


def brief(written: str) -> str:
    """A written number without a trailing `.0`, for the ticks of an axis."""
    return IDLE_ZERO.sub("", written)


def plain(name: str, techniques: Sequence[str] = ()) -> str:
    """The name of a strategy in words, with its techniques, such as `full fine-tuning with L2-SP`."""
    words = in_words(name, techniques)
    phases, found, others = words.partition(" with ")
    return {"full": "full fine-tuning"}.get(phases, phases.replace("_", " ")) + found + others


def candidate(name: str) -> str:
    """The name of a strategy or a technique alone, such as `top blocks` or `L2-SP`."""
    return TECHNIQUE_WORDS.get(name, plain(name))


def metric_words(metric: str) -> str:
    """A metric on the test split in words, such as `balanced test accuracy`."""
    return METRIC_WORDS[metric]


def written(value: float, metric: str, difference: bool = False) -> str:
    """A value of a metric: shares in percent, their differences in points, log-likelihoods in nats."""
    if metric == "nll":
        return f"{value:{'+' if difference else ''}.3f}".replace("-", MINUS)
    return points(value) if difference else percent(value)


def shortened(text: str, n_characters: int) -> str:
    """A text of at most `n_characters`, which ends in an ellipsis if it was cut."""
    return text if len(text) <= n_characters else text[: n_characters - 1] + "\u2026"


def prose(sentence: str) -> Markup:
    """A sentence as HTML. Text between backticks becomes code; elsewhere names and symbols are written as in print."""
    pieces = [str(each) for each in CODE.split(sentence)]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(_set(piece))
        for place, piece in enumerate(map(visible, pieces))
    )


def shown(value: Any) -> Any:
    """A value before it is escaped for a page: invisible characters of a text are written out."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _set(words: str) -> str:
    for name in STRATEGIES_OF_TWO_WORDS:
        words = words.replace(name, plain(name))
    return words.replace("MMD^2", "MMD\u00b2").replace("p = ", "p\u00a0=\u00a0")


def markdown_safe(value: object) -> str:
    """A value as Markdown that is displayed literally: without markup, links, mentions, mathematics or table cells.

    Text between backticks stays code, because our own sentences name keys and commands that way.
    """
    pieces = CODE.split(visible(re.sub(r"\s+", " ", str(value))))
    written = "".join(
        f"`{piece.replace('|', chr(92) + '|')}`" if place % 2 else _escaped(piece) for place, piece in enumerate(pieces)
    )
    return BLOCK.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\", written)


def _escaped(text: str) -> str:
    text = REFERENCE.sub(rf"\g<0>{ZERO_WIDTH_SPACE}", text)
    return SPECIAL_IN_MARKDOWN.sub(r"\\\1", text.translate(ENTITIES))


def mirror_note(flip: float) -> str:
    """What to know about training that mirrors images; empty where it does not.

    Args:
        flip: probability that an image is mirrored left to right.
    """
    if flip == 0:
        return ""
    return (
        f"Training mirrors images left to right with probability {flip:g}. Where left and right differ in meaning, as "
        "in chest X-rays or text, add a recipe with `flip: 0.0` and name it in `training.augmentation`."
    )
