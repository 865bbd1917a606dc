"""Strategies and techniques in words, for records, reports and the terminal."""

from collections.abc import Iterable, Sequence

from graft.params.section import Section
from graft.params.techniques import kind_of

# what techniques are called after the word `with`
TECHNIQUE_WORDS = {
    "l2_sp": "L2-SP",
    "ewc": "EWC",
    "lwf": "LwF",
    "replay": "replay",
    "adabn": "AdaBN",
    "dan": "DAN",
    "coral": "CORAL",
    "dann": "DANN",
    "bias": "bias-only tuning",
    "lora": "LoRA",
    "adapters": "adapters",
}


def in_words(strategy: str, techniques: Iterable[str]) -> str:
    """A strategy with its techniques, such as `full with L2-SP and LoRA`.

    Args:
        strategy: the strategy in words; the name of a technique stands for full with it.
        techniques: names of the techniques that are on.
    """
    phases, own = ("full", (strategy,)) if strategy in TECHNIQUE_WORDS else (strategy, ())
    named = [TECHNIQUE_WORDS[each] for each in dict.fromkeys((*own, *techniques))]
    return f"{phases} with {joined(named)}" if named else phases


def with_values(choice: str | Section) -> str:
    """A choice in words with its values, such as `LoRA, rank 8, alpha 16`."""
    words = TECHNIQUE_WORDS.get(kind_of(choice), kind_of(choice))
    values = {} if isinstance(choice, str) else choice.model_dump(exclude={"kind"})
    said = (f"{key} {joined(value) if isinstance(value, tuple) else f'{value:g}'}" for key, value in values.items())
    return ", ".join((words, *said))


def joined(words: Sequence[str]) -> str:
    """Words as a list of a sentence: `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
