"""Techniques that keep what was learned: what goes with which weights, and with what is tuned."""

from pathlib import Path
from typing import Any

import pytest
from tests.params.reading import error_of, params_of, values_of

from graft.params.techniques import check_keeping

KEEPING: dict[str, dict[str, object]] = {
    "l2_sp": {"kind": "l2_sp", "strength": 0.1},
    "ewc": {"kind": "ewc", "strength": 100.0, "images": 50},
    "lwf": {"kind": "lwf", "strength": 1.0, "temperature": 2.0},
    "replay": {"kind": "replay", "share": 0.2},
}
TUNING: dict[str, object] = {
    "lora": {"kind": "lora", "rank": 4, "alpha": 8.0},
    "adapters": {"kind": "adapters", "width": 8},
    "bias": "bias",
    "whole": "whole",
}


@pytest.fixture
def values() -> Any:
    return values_of()


@pytest.mark.parametrize("keeping", KEEPING)
@pytest.mark.parametrize("tuning", TUNING)
def test_weights_that_do_not_change_are_not_held(tmp_path: Path, values: Any, keeping: str, tuning: str) -> None:
    values["finetune_target"] |= {"keeping": KEEPING[keeping], "tuning": TUNING[tuning]}
    if keeping in ("l2_sp", "ewc") and tuning in ("lora", "adapters"):
        assert error_of(tmp_path, values) == (
            f"params.yaml: want finetune_target.keeping none, lwf or replay with tuning {tuning}, got {keeping}. The "
            f"weights that {keeping} holds do not change there: leave keeping out, or set tuning to whole."
        )
    else:
        assert params_of(tmp_path, values).finetune_target.keeping != "none"


@pytest.mark.parametrize("keeping", KEEPING)
def test_source_images_are_not_asked_of_published_weights(tmp_path: Path, values: Any, keeping: str) -> None:
    values["finetune_target"]["keeping"] = KEEPING[keeping]
    values["network"] |= {"name": "resnet18", "weights": "IMAGENET1K_V1"}
    if keeping in ("ewc", "replay"):
        assert error_of(tmp_path, values) == (
            f"params.yaml: want network.weights pretrain with finetune_target.keeping {keeping}, got IMAGENET1K_V1. "
            "The head of published weights does not know the classes of data/raw/source: set keeping to l2_sp or lwf."
        )
    else:
        assert params_of(tmp_path, values).network.name == "resnet18"


def test_nothing_is_refused_where_nothing_is_kept() -> None:
    check_keeping("none", "whole", "IMAGENET1K_V1")
