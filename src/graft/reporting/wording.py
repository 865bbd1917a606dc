"""Numbers and sentences as a reader sees them, safe in HTML and in Markdown."""

import re

from markupsafe import Markup, escape

MINUS = "\u2212"
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SPECIAL_IN_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")
REFERENCE = re.compile(r"([@#])(?=\w)")
IDLE_ZERO = re.compile(r"\.0(?=%?$)")
STRATEGIES_OF_TWO_WORDS = ("feature_extraction", "top_blocks")
ZERO_WIDTH_SPACE = "\u200b"


def percent(share: float) -> str:
    """A share as `93.1%`."""
    return f"{100 * share:.1f}%"


def points(share: float) -> str:
    """A difference of shares in percentage points with its sign: `+6.2`."""
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def number(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits, a large one to the whole; a dash where there is none."""
    if value is None:
        return "\u2013"
    whole = abs(value) >= 10**digits
    return (f"{value:.0f}" if whole else f"{value:.{digits}g}").replace("-", MINUS)


def brief(written: str) -> str:
    """A written number without an idle `.0`, for the ticks of an axis."""
    return IDLE_ZERO.sub("", written)


def plain(name: str) -> str:
    """`feature_extraction` as words."""
    return {"full": "full fine-tuning"}.get(name, name.replace("_", " "))


def shortened(text: str, n_characters: int) -> str:
    """At most so many characters, the last an ellipsis where some are left out."""
    return text if len(text) <= n_characters else text[: n_characters - 1] + "\u2026"


def prose(sentence: str) -> Markup:
    """A sentence as HTML: its `code` marked up as such, and outside of it names and symbols as people write them."""
    pieces = [str(each) for each in CODE.split(sentence)]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(_set(piece))
        for place, piece in enumerate(pieces)
    )


def _set(words: str) -> str:
    for name in STRATEGIES_OF_TWO_WORDS:
        words = words.replace(name, plain(name))
    return words.replace("MMD^2", "MMD\u00b2").replace("p = ", "p\u00a0=\u00a0")


def markdown_safe(value: object) -> str:
    """A value as Markdown that shows as it is written: no markup, link, mention or table cell grows from it.

    Code between backticks stays code, because our own sentences name keys and commands so.
    """
    text = re.sub(r"\s+", " ", str(value))
    pieces = CODE.split(text)
    return "".join(
        f"`{piece.replace('|', chr(92) + '|')}`" if place % 2 else _escaped(piece) for place, piece in enumerate(pieces)
    )


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = SPECIAL_IN_MARKDOWN.sub(r"\\\1", text)
    return REFERENCE.sub(rf"\1{ZERO_WIDTH_SPACE}", text)
