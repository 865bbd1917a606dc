"""Techniques beside a strategy: what switches each on, and what does not go together."""

from typing import NamedTuple

from graft.params.both_arms import FinetuneTarget, Strategy
from graft.params.techniques import kind_of


class Technique(NamedTuple):
    """What switches a technique on."""

    key: str
    """key of finetune_target that switches it on"""
    line: str
    """the line that does so"""


# an overrule that names one of them means the phases of full with it
TECHNIQUES: dict[Strategy, Technique] = {
    "l2_sp": Technique("keeping", "keeping: {kind: l2_sp, strength: 0.01}"),
    "ewc": Technique("keeping", "keeping: {kind: ewc, strength: 1000.0, images: 400}"),
    "lwf": Technique("keeping", "keeping: {kind: lwf, strength: 1.0, temperature: 2.0}"),
    "replay": Technique("keeping", "keeping: {kind: replay, share: 0.2}"),
    "adabn": Technique("batchnorm", "batchnorm: adapt"),
    "dan": Technique("adapting", "adapting: {kind: dan, strength: 1.0, blocks: [block3, block4]}"),
    "coral": Technique("adapting", "adapting: {kind: coral, strength: 100.0}"),
    "dann": Technique("adapting", "adapting: {kind: dann, strength: 1.0}"),
    "bias": Technique("tuning", "tuning: bias"),
    "lora": Technique("tuning", "tuning: {kind: lora, rank: 8, alpha: 16.0}"),
    "adapters": Technique("tuning", "tuning: {kind: adapters, width: 16}"),
}
# train on images of the source beside those of the target
READ_SOURCE: tuple[Strategy, ...] = ("ewc", "replay", "dan", "coral", "dann")
# read unlabelled images of the target, where there are any
READ_TARGET: tuple[Strategy, ...] = ("adabn", "dan", "coral", "dann")
# values of keys of finetune_target with which nothing is added to a strategy
OFF: dict[str, str | None] = {"keeping": "none", "adapting": "none", "tuning": "whole", "choose_by": None}


def phases_as(strategy: Strategy) -> Strategy:
    """The strategy whose phases a name stands for: full for the name of a technique, else itself."""
    return "full" if strategy in TECHNIQUES else strategy


def techniques_on(settings: FinetuneTarget) -> tuple[Strategy, ...]:
    """Names of the techniques that are switched on."""
    return tuple(name for name, each in TECHNIQUES.items() if _value(settings, each.key) == _word(name))


def effective(strategy: Strategy, settings: FinetuneTarget) -> FinetuneTarget:
    """The settings without techniques that have no effect under a strategy: feature extraction trains no block."""
    if strategy != "feature_extraction":
        return settings
    return settings.model_copy(update={key: off for key, off in OFF.items() if key != "choose_by"})


def check_combination(overrule: Strategy | None, settings: FinetuneTarget) -> None:
    """Refuse a technique that is named without its values, and values that would have no effect.

    Args:
        overrule: the strategy that params.yaml names.
        settings: the transfer arm.

    Raises:
        ValueError: the values of the technique that is named are missing or those of another, or no block learns what
            they say.
    """
    if overrule in TECHNIQUES:
        _check_named(overrule, settings)
    for key in ("keeping", "adapting", "tuning"):
        off, value = OFF[key], _value(settings, key)
        if overrule == "feature_extraction" and value != off:
            raise ValueError(
                f"want finetune_target.{key} {off} with select_strategy.overrule feature_extraction, got {value}. No "
                "block learns under it: remove the line, or set overrule to full."
            )
    if overrule == "norms" and settings.tuning != "whole":
        raise ValueError(
            f"want finetune_target.tuning whole with select_strategy.overrule norms, got {kind_of(settings.tuning)}. "
            "Both say what of a block learns: remove one of them."
        )


def _check_named(overrule: Strategy, settings: FinetuneTarget) -> None:
    technique = TECHNIQUES[overrule]
    value = _value(settings, technique.key)
    if value == _word(overrule):
        return
    other = f", or set overrule to {value}" if value in {str(name) for name in TECHNIQUES} else ""
    raise ValueError(
        f"want finetune_target.{technique.key} {_word(overrule)} with select_strategy.overrule {overrule}, got "
        f"{value}. Write under `finetune_target:` the line `  {technique.line}`{other}."
    )


def _value(settings: FinetuneTarget, key: str) -> str:
    """The word that a key has, with or without values of its own."""
    value = getattr(settings, key)
    return "null" if value is None else kind_of(value)


def _word(technique: Strategy) -> str:
    """The word under the technique's key that switches it on."""
    return "adapt" if technique == "adabn" else technique
