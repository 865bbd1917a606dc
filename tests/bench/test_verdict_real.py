"""The verdict on arms that are trained here, by the functions of the benchmark: weights that help, and that hurt."""

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from tests.house import ROOT

from graft.networks.preprocessing import preprocessing_for

DATA = ROOT.parent / "shared" / "data"
QUICK: dict[str, Any] = {
    "training.epochs": 5,
    "training.budget": 3,
    "training.augmentation": "none",
    "pretrain_source.epochs": 2,
    "pretrain_source.augmentation": "none",
    "finetune_target.rates": [0.01],
    "train_scratch.rates": [0.01],
}


@pytest.fixture(scope="module")
def run() -> Iterator[ModuleType]:
    """The functions of bench/, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "bench"))
        yield importlib.import_module("verdict_real_run")


@pytest.fixture(scope="module")
def digits(run: ModuleType) -> Any:
    return run.target_of(run.digits(run.Split(5, 4, 30), 0), run.params_with({**QUICK, "training.batch_size": 16}))


@pytest.fixture(scope="module")
def scratch(run: ModuleType, digits: Any) -> Any:
    return run.right_of_scratch(digits)


@pytest.fixture(scope="module")
def verdict_of(run: ModuleType, digits: Any, scratch: Any) -> Callable[[Any], str]:
    """The verdict on features that do not learn."""
    return lambda network: run.judged(run.right_of_transfer(digits, network, "feature_extraction"), scratch).verdict


def test_features_of_other_digits_come_out_positive(
    run: ModuleType, digits: Any, verdict_of: Callable[[Any], str]
) -> None:
    assert verdict_of(run.pretrained_on(run.rest_of(digits), digits, 0)) == "POSITIVE"


def test_features_that_a_huge_rate_destroyed_come_out_negative(
    run: ModuleType, digits: Any, verdict_of: Callable[[Any], str]
) -> None:
    source = run.rest_of(digits)
    destroyed = run.saturated(run.pretrained_on(source, digits, 0), source, 100.0, 0)
    assert verdict_of(destroyed) == "NEGATIVE"


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data here")
def test_features_of_photographs_come_out_negative_on_digits(run: ModuleType) -> None:
    params = run.params_with({**QUICK, "images.size_px": 16, "training.epochs": 8})
    preprocessing = preprocessing_for(params.network, params.images)
    target = run.target_of(run.images_of("mnist", run.Split(15, 8, 40), preprocessing), params)
    network = run.pretrained_on(run.source_of("cifar10", preprocessing), target, 0)
    arms = run.right_of_transfer(target, network, "feature_extraction"), run.right_of_scratch(target)
    assert run.judged(*arms).verdict == "NEGATIVE"
