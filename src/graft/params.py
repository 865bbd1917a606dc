"""What params.yaml may say: every key, its type, its range and its unit.

No key has a default: a default that changed here would change results without a re-run, because DVC
watches params.yaml and not this file. A missing key is an error that shows the line to paste.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from graft.param_errors import echo, sentences, wants_name
from graft.training_params import EXAMPLE, FinetuneTarget, Rate, Recipe, Section, Strategy, Training, TrainScratch
from graft.yaml_files import read_yaml

Head = Literal["linear", "mlp"]


def _check_ascending(low_name: str, low: float, high_name: str, high: float) -> None:
    if low >= high:
        raise ValueError(f"want {low_name} under {high_name}, got {low} and {high}. Change one of them.")


class Network(Section):
    """The backbone and where its weights come from."""

    name: str = Field(examples=["small_cnn"])
    """the network: small_cnn, or a torchvision name such as resnet18 or mobilenet_v2"""
    weights: str = Field(examples=["pretrain"])
    """pretrain (on the source images), file, or a torchvision weight name such as IMAGENET1K_V1"""
    weights_file: str | None = Field(examples=[None])
    """with `weights: file`, the path of a state dict of this network; else null"""
    weights_sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$", examples=[None])
    """with `weights: file`, the sha256 of that file, 64 hex digits; else null"""
    head: Head = Field(examples=["linear"])
    """what both arms learn on top of the backbone: linear, or mlp (one hidden layer with BatchNorm and dropout)"""

    @model_validator(mode="after")
    def _file_and_hash_belong_to_weights_file(self) -> "Network":
        given = [self.weights_file, self.weights_sha256]
        if self.weights == "file" and None in given:
            raise ValueError(
                f"want weights_file and weights_sha256 with `weights: file`, got {given[0]} and {given[1]}. "
                "Give the path of the state dict and what `sha256sum` prints for it."
            )
        if self.weights != "file" and given != [None, None]:
            want = f"want weights_file and weights_sha256 null with `weights: {self.weights}`"
            raise ValueError(f"{want}, got {given[0]} and {given[1]}. Set them to null, or set `weights: file`.")
        return self

    @model_validator(mode="after")
    def _small_cnn_is_never_published(self) -> "Network":
        if self.name == "small_cnn" and self.weights != "pretrain":
            raise ValueError(
                f"want `weights: pretrain` with small_cnn, got {self.weights!r}. "
                "Published weights exist for torchvision networks, such as `name: resnet18`."
            )
        return self


class Images(Section):
    """What every image becomes before a network sees it."""

    size_px: int | None = Field(ge=16, le=1024, examples=[32])
    """side of the square crop in pixels, 16 to 1024; null: the size the weights were made for"""
    value_bits: int | None = Field(ge=1, le=16, examples=[None])
    """bits in use, 1 to 16, of grey files that hold 16, such as 12 of many cameras; null: recognised from all files"""
    max_megapixels: int = Field(ge=1, le=100, examples=[25])
    """largest picture that is read, by the pipeline and by the service, in millions of pixels, 1 to 100; the
    service's memory grows with it"""


class PrepareData(Section):
    """Which images."""

    dataset: Literal["example", "folders"] = Field(examples=["example"])
    """example (built in, no download) or folders (your images under data/raw)"""
    group_pattern: str | None = Field(examples=[None])
    """a regular expression with one group, searched in each image's path; images with the same match (patient, site,
    video) are one group and never stand in two splits; null: none"""
    group_file: str | None = Field(examples=[None])
    """name of a CSV with the columns path,group in data/raw/target, and in data/raw/source if wanted; null: none"""
    near_duplicate_bits: int | None = Field(ge=0, le=8, examples=[4])
    """perceptual hashes that differ in so many of 64 bits, 0 to 8, make two pictures be compared; null: none are"""

    @field_validator("group_pattern")
    @classmethod
    def _pattern_has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        cure = "Put parentheses around the part that names the patient, site or video, such as '(patient[0-9]+)'."
        try:
            n_groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"want a regular expression, got {pattern!r} ({error}). {cure}") from None
        if n_groups != 1:
            raise ValueError(f"want one pair of parentheses, got {n_groups} in {pattern!r}. {cure}")
        return pattern

    @model_validator(mode="after")
    def _groups_come_from_one_place(self) -> "PrepareData":
        if None not in (self.group_pattern, self.group_file):
            raise ValueError(
                f"want group_pattern or group_file, got {self.group_pattern!r} and {self.group_file!r}. "
                "Set one of them to null."
            )
        return self


class ValidateData(Section):
    """What counts as a fault of the data."""

    min_images_per_class: int = Field(ge=1, examples=[5])
    """fewest readable images of a class in the train split, from 1"""
    min_side_px: int = Field(ge=1, examples=[8])
    """smallest width or height of an image in pixels, from 1"""
    classes: tuple[str, ...] | None = Field(min_length=2, strict=False, examples=[None])
    """names of the target's classes, at least two; another class, or none of these, is a fault; null: any names"""
    on_undecodable: Literal["fail", "quarantine"] = Field(examples=["fail"])
    """when an image cannot be read: fail, or quarantine (it is left out, and reported)"""
    on_near_duplicates: Literal["fail", "warn"] = Field(examples=["fail"])
    """when nearly the same image stands in two split folders, or in source and target test: fail or warn"""


class PretrainSource(Section):
    """Training on the source images, where `network.weights` is pretrain."""

    epochs: int = Field(ge=1, le=10_000, examples=[20])
    """passes over the source images, 1 to 10,000"""
    rate: Rate = Field(examples=[0.003])
    """learning rate at the peak of the one-cycle schedule, above 0 to 10"""


class ExtractFeatures(Section):
    """What the backbone says of the images."""

    sample_images: int = Field(ge=40, le=10_000, examples=[400])
    """images of each domain, 40 to 10,000, that the shift's profile by block and its yardstick look at; for the
    yardstick the backbone runs over 14 times as many source images"""


class MeasureShift(Section):
    """The two-sample test between source and target features."""

    n_permutations: int = Field(ge=99, le=100_000, examples=[999])
    """permutations of the shift test, 99 to 100,000; p cannot fall below 1 / (1 + this)"""
    confidence: float = Field(gt=0.5, lt=1, examples=[0.95])
    """confidence of the intervals, above 0.5 to below 1"""
    near_below: float = Field(ge=0, le=5, examples=[1.0])
    """similarity is near where the source's own images, corrupted below this severity, move as far; 0 to 5"""
    far_above: float = Field(ge=0, le=5, examples=[3.0])
    """similarity is far where it takes a corruption above this severity, 0 to 5; between the two, mid"""
    bank_file: str | None = Field(examples=[None])
    """features of images that stand for the source where you have none, made by `graft bank`; null: none"""
    bank_sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$", examples=[None])
    """sha256 of that file, 64 hex digits, as `graft bank` prints it; null without one"""

    @model_validator(mode="after")
    def _bank_and_hash_belong_together(self) -> "MeasureShift":
        if (self.bank_file is None) != (self.bank_sha256 is None):
            raise ValueError(
                f"want bank_file and bank_sha256 both or neither, got {self.bank_file} and {self.bank_sha256}. "
                "Paste the two lines that `graft bank` prints, or set both to null."
            )
        return self

    @model_validator(mode="after")
    def _limits_ascend(self) -> "MeasureShift":
        _check_ascending("near_below", self.near_below, "far_above", self.far_above)
        return self


class SelectStrategy(Section):
    """How the strategy is chosen."""

    overrule: Strategy | None = Field(examples=[None])
    """null: graft chooses among feature_extraction, top_blocks and full; or one of these, gradual, surgical or norms:
    you do, and the record says so"""
    folds: int = Field(ge=2, le=20, examples=[5])
    """folds of the cross-validated probes on cached features, 2 to 20"""
    headroom_small: float = Field(ge=0, le=1, examples=[0.05])
    """error of the linear probe, a share, up to which the evidence says feature_extraction"""
    headroom_large: float = Field(ge=0, le=1, examples=[0.2])
    """error of the linear probe, a share, above which the evidence says full; between the two, top_blocks"""

    @model_validator(mode="after")
    def _limits_ascend(self) -> "SelectStrategy":
        _check_ascending("headroom_small", self.headroom_small, "headroom_large", self.headroom_large)
        return self


class CheckTransfer(Section):
    """The comparison of the arms on the test split."""

    confidence: float = Field(gt=0.5, lt=1, examples=[0.95])
    """confidence of the interval, above 0.5 to below 1"""
    margin: float = Field(ge=0, lt=1, examples=[0.005])
    """differences of accuracy up to this share count as no difference, 0 to below 1"""
    on_negative: Literal["fail", "ship_scratch", "warn"] = Field(examples=["fail"])
    """when transfer hurts: fail (the gate refuses), ship_scratch (export the control) or warn"""


class GateRelease(Section):
    """When a release is refused."""

    on_inconclusive: Literal["warn", "fail"] = Field(examples=["warn"])
    """when the seeds and images do not settle the comparison: warn or fail"""


class Params(Section):
    """All of params.yaml."""

    seed: int = Field(ge=0, lt=2**31, examples=[0])
    """seed of everything random, 0 to 2^31 - 1"""
    network: Network
    images: Images
    prepare_data: PrepareData
    validate_data: ValidateData
    pretrain_source: PretrainSource
    extract_features: ExtractFeatures
    measure_shift: MeasureShift
    select_strategy: SelectStrategy
    recipes: dict[str, Recipe] = Field(examples=[{"digits": EXAMPLE}])
    """ways of varying training images, by name; add your own"""
    training: Training
    finetune_target: FinetuneTarget
    train_scratch: TrainScratch
    check_transfer: CheckTransfer
    gate_release: GateRelease

    @model_validator(mode="after")
    def _augmentation_names_a_recipe(self) -> "Params":
        if self.training.augmentation not in self.recipes:
            raise ValueError(
                f"want training.augmentation among recipes, got {self.training.augmentation}. "
                f"Choose one of {', '.join(self.recipes)}, or add a recipe of that name."
            )
        return self

    @model_validator(mode="after")
    def _views_are_not_mixed(self) -> "Params":
        if self.finetune_target.views is not None and self.training.mixing != "none":
            raise ValueError(
                f"want finetune_target.views null with training.mixing {self.training.mixing}, got "
                f"{self.finetune_target.views}. Images of fixed views are not blended: "
                "set views to null, or mixing to none."
            )
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


def read_params(path: Path) -> Params:
    """Params of a run.

    Args:
        path: a YAML file such as params.yaml.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not YAML, or a key is missing, unknown, of the wrong type or out of range.
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
