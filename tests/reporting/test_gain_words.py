"""Seconds to the target of the speed, from steps and the seconds of one step."""

import pytest
from tests.reporting.sample_gain import sample_no_steps

from graft.records.gain import SeedSteps, Speed
from graft.reporting.gain_words import seconds_to_target
from graft.reporting.provenance import Provenance, StageRun

STEPS = ((60, 300), (40, None), (50, 500))
SPEED = Speed(
    target=0.8,
    seeds=tuple(SeedSteps(seed=seed, transfer=a, scratch=b) for seed, (a, b) in enumerate(STEPS)),
    ratio=None,
    at_least=False,
    sentence="",
)


def noted(**seconds: float) -> Provenance:
    stages = tuple(StageRun(name, "2026-01-01", 9.0, 400, "cpu", each) for name, each in seconds.items())
    return Provenance(stages, (), ())


def test_seconds_are_the_steps_of_the_median_seed_that_gets_there() -> None:
    said = seconds_to_target(SPEED, noted(finetune_target=0.02, train_scratch=0.01))
    assert said.startswith("On this machine that is 1 s of training for transfer and 4 s for scratch")


@pytest.mark.parametrize("provenance", [noted(), noted(finetune_target=0.02)])
def test_without_a_note_of_both_arms_nothing_is_said(provenance: Provenance) -> None:
    assert seconds_to_target(SPEED, provenance) == ""


def test_an_arm_without_steps_takes_no_seconds() -> None:
    assert seconds_to_target(sample_no_steps(), noted(finetune_target=0.02, train_scratch=0.01)) == ""
