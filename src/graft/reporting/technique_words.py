"""What was kept, adapted and tuned, how much of the network learned, and how large a delta is, in words."""

from typing import NamedTuple

from graft.records.strategy import StrategyRecord
from graft.records.training import TrainingRecord
from graft.wording import TECHNIQUE_WORDS, joined, with_values


class Part(NamedTuple):
    """One part of how the transfer arm was trained."""

    name: str
    value: str
    note: str
    """values of the technique, or what a number is a part of; may be empty"""


def parts_trained(record: TrainingRecord) -> tuple[Part, ...]:
    """What the transfer arm kept, adapted and tuned, and the size of what learned, as far as it is known."""
    parts = [
        _part("Keeping", with_values(record.keeping)),
        _adapting(record),
        _part("Tuning", "whole blocks" if record.tuning == "whole" else with_values(record.tuning)),
    ]
    if record.n_parameters and record.n_trained_parameters is not None:
        share = record.n_trained_parameters / record.n_parameters
        parts.append(Part("Learning", _share(share), f"of {_count(record.n_parameters)} parameters"))
    if record.delta_bytes is not None:
        parts.append(Part("Delta", bytes_in_words(record.delta_bytes), "all that differs from the backbone"))
    return tuple(parts)


def trained_sentence(record: TrainingRecord) -> str:
    """The same in one or two sentences, without what is off; empty if nothing is known and nothing is on."""
    on = [with_values(each) for each in (record.keeping, record.adapting) if each != "none"]
    on += ["AdaBN"] if "adabn" in record.techniques else []
    on += [with_values(record.tuning)] if record.tuning != "whole" else []
    sentences = [f"Transfer was trained with {'; '.join(on)}."] if on else []
    if record.n_parameters and record.n_trained_parameters is not None:
        share = record.n_trained_parameters / record.n_parameters
        size = f"; its delta is {bytes_in_words(record.delta_bytes)}" if record.delta_bytes is not None else ""
        sentences.append(f"It trains {_share(share)} of {_count(record.n_parameters)} parameters{size}.")
    return " ".join(sentences)


def switched_off(strategy: StrategyRecord) -> str:
    """The techniques that params.yaml does not switch on, as a list of a sentence; empty if there are none."""
    off = [each.name for each in strategy.candidates if each.name in TECHNIQUE_WORDS and not each.on]
    return joined([TECHNIQUE_WORDS[name] for name in off]) if off else ""


def bytes_in_words(n_bytes: int) -> str:
    """A size such as `180 kB`, in units of thousands."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            value = n_bytes / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{n_bytes} bytes"


def _part(name: str, said: str) -> Part:
    value, _, note = said.partition(", ")
    return Part(name, value, note)


def _adapting(record: TrainingRecord) -> Part:
    part = _part("Adapting", with_values(record.adapting))
    if "adabn" not in record.techniques:
        return part
    if record.adapting == "none":
        return part._replace(value="AdaBN", note="BatchNorm statistics of the target")
    return part._replace(value=f"{part.value} and AdaBN")


def _share(share: float) -> str:
    """A share of parameters in percent, with two digits where it is small."""
    return f"{100 * share:.2g}%" if share < 0.1 else f"{100 * share:.0f}%"


def _count(n: int) -> str:
    return f"{n / 10**6:.1f} million" if n >= 10**6 else f"{n:,}"
