"""A part of the benchmark of the verdict whose cell is broken ends with exit code 1."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.house import ROOT

NONE = "none that is named"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a file of bench/, which is no package."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module


def exit_code(monkeypatch: pytest.MonkeyPatch, main: Callable[[], Any], part: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", part])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def simulated(module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The simulated parts with 20 experiments a cell, two pilots, and few cells."""
    monkeypatch.setattr(module("verdict_worlds"), "EXPERIMENTS", 20)
    monkeypatch.setattr(module("verdict_power"), "MANY_IMAGES", 2_000)
    pilots = module("verdict_pilots")
    monkeypatch.setattr(pilots, "PILOTS", 2)
    found = module("verdict_simulated")
    small = {NONE: module("verdict_worlds").World(5, 60)}
    for cells in ("plain", "accurate", "rare", "worlds"):
        monkeypatch.setattr(found, cells, lambda: small)
    monkeypatch.setattr(found, "grouped", lambda: {NONE: small[NONE]._replace(groups=np.arange(60) // 3)})
    return found


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("part", ["plain", "accurate", "groups", "rare", "rates"])
def test_false_claims_beyond_the_bound_fail(
    simulated: ModuleType, monkeypatch: pytest.MonkeyPatch, part: str, holds: bool
) -> None:
    monkeypatch.setattr(simulated, "holds", lambda *_: holds)
    assert exit_code(monkeypatch, simulated.main, part) == (0 if holds else 1)


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("part", ["power", "promises", "pilots", "together"])
def test_a_power_that_is_not_as_promised_fails(
    simulated: ModuleType, monkeypatch: pytest.MonkeyPatch, part: str, holds: bool
) -> None:
    monkeypatch.setattr(simulated, "shown", lambda *_: 0.8)
    monkeypatch.setattr(simulated, "reckoned", lambda *_: 0.8)
    monkeypatch.setattr(simulated, "NEAR", 1.0 if holds else -1.0)
    assert exit_code(monkeypatch, simulated.main, part) == (0 if holds else 1)


@pytest.mark.parametrize("most", [1.0, -1.0])
def test_arms_that_are_equivalent_too_often_fail(
    simulated: ModuleType, monkeypatch: pytest.MonkeyPatch, most: float
) -> None:
    monkeypatch.setattr(simulated, "bound", lambda *_: most)
    alike = SimpleNamespace(equivalent=0.0)
    monkeypatch.setattr(simulated, "tally_of", lambda *_: alike)
    assert exit_code(monkeypatch, simulated.main, "equivalent") == (0 if most > 0 else 1)


@pytest.fixture
def real(module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The real parts without any training; the verdicts are set by each test."""
    found = module("verdict_real")
    for name in ("digits_target", "rest_of", "right_of_scratch", "right_of_transfer", "random_network"):
        monkeypatch.setattr(found, name, lambda *_: None)
    for name in ("saturated", "pretrained_on", "make_deterministic"):
        monkeypatch.setattr(found, name, lambda *_: None)
    monkeypatch.setattr(found, "share_constant", lambda *_: 1.0)
    return found


def outcomes(module: ModuleType, monkeypatch: pytest.MonkeyPatch, verdicts: list[str]) -> None:
    """Let the runs of a real part end with these verdicts, in turn."""
    left = iter(verdicts)
    difference = SimpleNamespace(estimate=0.0, low=0.0, high=0.0)
    found = SimpleNamespace(transfer=0.5, scratch=0.5, difference=difference)
    monkeypatch.setattr(module, "judged", lambda *_: SimpleNamespace(**vars(found), verdict=next(left)))


@pytest.mark.parametrize("odd", ["NEGATIVE", "INCONCLUSIVE", "POSITIVE"])
def test_destroyed_weights_must_all_come_out_negative(
    real: ModuleType, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    outcomes(real, monkeypatch, ["NEGATIVE"] * 8 + [odd])
    assert exit_code(monkeypatch, lambda: real.run(real.TABLES, "x"), "destroyed") == int(odd != "NEGATIVE")


@pytest.mark.parametrize(("n_positive", "code"), [(18, 0), (19, 1)])
def test_random_weights_come_out_positive_in_at_most_one_run_of_22(
    real: ModuleType, monkeypatch: pytest.MonkeyPatch, n_positive: int, code: int
) -> None:
    outcomes(real, monkeypatch, ["POSITIVE"] * n_positive + ["INCONCLUSIVE"] * (400 - n_positive))
    assert exit_code(monkeypatch, lambda: real.run(real.TABLES, "x"), "alike") == code


def test_a_part_that_promises_nothing_passes(real: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes(real, monkeypatch, ["POSITIVE"] * 200)
    assert exit_code(monkeypatch, lambda: real.run(real.TABLES, "x"), "unlike") == 0


def test_the_benchmark_fails_where_a_part_does(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = module("verdict")
    monkeypatch.setattr(bench.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1))
    assert exit_code(monkeypatch, bench.main, "plain") == 1
