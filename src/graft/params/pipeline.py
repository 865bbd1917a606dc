"""All of params.yaml: its sections, the rules between them, and how it is read.

No key has a default that changes a result: a default that changed here would do so without a re-run, because DVC
watches params.yaml and not this file. A missing key is an error that shows the line to paste. Keys that switch
something on may be left out, and what they would switch on is then off.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from graft.params.both_arms import FinetuneTarget, TrainScratch
from graft.params.combinations import check_combination, phases_as
from graft.params.data import PrepareData, ValidateData
from graft.params.decisions import CheckTransfer, SelectStrategy
from graft.params.errors import echo, sentences, wants_name
from graft.params.learning import PretrainSource, Training
from graft.params.measure_shift import ExtractFeatures, MeasureShift
from graft.params.network import Images, NetworkParams
from graft.params.recipes import EXAMPLE, Recipe
from graft.params.section import Section
from graft.params.techniques import check_keeping
from graft.yaml_files import read_yaml

# strategies that only a person can choose, with the key of finetune_target that each needs and a line to paste
STRATEGY_VALUES = (
    ("gradual", "unfreeze", "unfreeze: {kind: plateau, patience: 2}"),
    ("surgical", "surgical_blocks", "surgical_blocks: [block1, block2]"),
)


class Params(Section):
    """All of params.yaml."""

    seed: int = Field(ge=0, lt=2**31, examples=[0])
    """seed of everything random, 0 to 2^31 - 1"""
    network: NetworkParams
    images: Images
    prepare_data: PrepareData
    validate_data: ValidateData
    pretrain_source: PretrainSource
    extract_features: ExtractFeatures
    measure_shift: MeasureShift
    select_strategy: SelectStrategy
    recipes: dict[str, Recipe] = Field(examples=[{"digits": EXAMPLE}])
    """ways to vary training images, by name; add your own"""
    training: Training
    finetune_target: FinetuneTarget
    train_scratch: TrainScratch
    check_transfer: CheckTransfer

    @model_validator(mode="after")
    def _augmentation_names_a_recipe(self) -> "Params":
        for section, learning in (("pretrain_source", self.pretrain_source), ("training", self.training)):
            if learning.augmentation not in self.recipes:
                raise ValueError(
                    f"want {section}.augmentation among recipes, got {learning.augmentation}. "
                    f"Choose one of {', '.join(self.recipes)}, or add a recipe of that name."
                )
        return self

    @model_validator(mode="after")
    def _views_have_an_effect(self) -> "Params":
        views, mixing = self.finetune_target.views, self.training.mixing
        if views is not None and mixing != "none":
            raise ValueError(
                f"want finetune_target.views null with training.mixing {mixing.kind}, got {views}. Images of fixed "
                "views are not blended: set views to null, or mixing to none."
            )
        overrule = self.select_strategy.overrule
        if views is not None and overrule is not None and phases_as(overrule) == "full":
            raise ValueError(
                f"want finetune_target.views null with select_strategy.overrule {overrule}, got {views}. No block is "
                f"frozen under {overrule}: set views to null."
            )
        return self

    @model_validator(mode="after")
    def _values_of_a_strategy_go_with_it(self) -> "Params":
        """Refuse values that no chosen strategy uses, and a strategy without the values that it needs."""
        overrule = self.select_strategy.overrule
        for strategy, key, line in STRATEGY_VALUES:
            value = getattr(self.finetune_target, key)
            if overrule == strategy and not value:
                raise ValueError(
                    f"want finetune_target.{key} with select_strategy.overrule {strategy}, got none. Paste under "
                    f"`finetune_target:` the line `  {line}`."
                )
            if overrule != strategy and value:
                got = value if isinstance(value, str) else getattr(value, "kind", None) or ", ".join(value)
                raise ValueError(
                    f"want no finetune_target.{key} with select_strategy.overrule {overrule or 'null'}, got {got}. "
                    f"Only {strategy} uses it: remove the line, or set overrule to {strategy}."
                )
        return self

    @model_validator(mode="after")
    def _techniques_go_together(self) -> "Params":
        check_combination(self.select_strategy.overrule, self.finetune_target)
        adapting, mixing = self.finetune_target.adapting, self.training.mixing
        if adapting != "none" and mixing != "none":
            raise ValueError(
                f"want training.mixing none with finetune_target.adapting {adapting.kind}, got {mixing.kind}. Images "
                "that are blended in one domain alone tell the domains apart: set mixing or adapting to none."
            )
        return self

    @model_validator(mode="after")
    def _keeping_can_work(self) -> "Params":
        settings = self.finetune_target
        check_keeping(settings.keeping, settings.tuning, self.network.weights)
        return self

    @model_validator(mode="after")
    def _arms_have_equal_trials(self) -> "Params":
        n_transfer, n_scratch = len(self.finetune_target.rates), len(self.train_scratch.rates)
        if n_transfer != n_scratch:
            raise ValueError(
                f"want as many finetune_target.rates as train_scratch.rates, got {n_transfer} and {n_scratch}. "
                "Give both arms the same number of trials, or the comparison is unfair."
            )
        return self

    @model_validator(mode="after")
    def _every_rate_is_a_trial(self) -> "Params":
        """Refuse a rate twice in an arm; where rates are looked for, only their number counts."""
        for key in ("finetune_target", "train_scratch"):
            rates = getattr(self, key).rates
            twice = next((rate for rate in rates if rates.count(rate) > 1), None)
            if twice is not None and not self.training.find_rate:
                raise ValueError(
                    f"want {key}.rates that differ, got {twice:g} more than once. Each rate is one trial: leave it out "
                    "once, or write another rate."
                )
        return self


def read_params(path: Path) -> Params:
    """Read the params of a run.

    Args:
        path: a YAML file such as params.yaml.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not YAML, a key is missing, unknown, of the wrong type or out of range, or values do not
            go together.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: want a file, got none. Run from the top of the repository.")
    values = read_yaml(path, partial(wants_name, root=Params))
    if not isinstance(values, Mapping):
        want = "want keys and values"
        raise ValueError(f"{path}: {want}, got {echo(values)}. Restore the file with `git checkout {path}`.")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ValueError(sentences(path, error.errors(), Params)) from None


def json_schema() -> str:
    """JSON schema of params.yaml for editors."""
    return json.dumps(Params.model_json_schema(), indent=2) + "\n"
