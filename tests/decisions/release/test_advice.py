import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import parse_yaml
from tests.examples import (
    CHECKS,
    catalog_record,
    no_verdict_record,
    run_records,
    strategy_record,
    training_record,
    verdict_record,
)
from tests.house import ROOT

from graft.decisions.claims import TRANSFER_BY
from graft.decisions.release.advice import next_steps
from graft.params.both_arms import Strategy
from graft.params.combinations import techniques_on
from graft.params.learning import MOST_SEEDS
from graft.params.pipeline import Params, read_params
from graft.records.chapters import Records
from graft.records.checks import SplitCheck
from graft.records.release import Reason
from graft.records.strategy import StrategyRecord
from graft.records.training import Epoch, TrainingRecord
from graft.records.validation import Finding, ValidationRecord
from graft.yaml_files import read_yaml

SETTLED = run_records()


def _steps(records: Records, *reasons: Reason) -> tuple[str, ...]:
    return next_steps(records, reasons)


def test_a_settled_run_on_own_images_has_nothing_to_try() -> None:
    assert _steps(SETTLED) == ()


def test_the_example_leads_to_own_images() -> None:
    (said,) = _steps(replace(SETTLED, catalog=catalog_record("example")))
    assert "`graft start --from FOLDER` goes on with your images" in said


def _unsettled(**changes: Any) -> Records:
    return replace(SETTLED, verdict=verdict_record("INCONCLUSIVE", **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to_show": (12, 1800)}, "1,800 test images, new ones among them, and 12 seeds (`training.budget: 12`)"),
        ({"to_show": (MOST_SEEDS + 1, 1800)}, "over 50 seeds"),
        ({"to_show": None}, "over 50 seeds"),
        ({"to_show": (12, 1800), "limits": ("A group decides.",)}, "Settle the verdict: A group decides."),
        ({"n_seeds": 2, "limits": ("Run three.",)}, "Run three. `dvc exp run -S training.budget=standard` runs five."),
    ],
)
def test_an_open_verdict_says_what_would_settle_it(changes: dict[str, Any], words: str) -> None:
    (said,) = _steps(_unsettled(**changes))
    assert words in said


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (0, "Take new test images for it: a further look at these was not planned"),
        (1, "1 planned look at these test images is left."),
        (2, "2 planned looks at these test images are left."),
    ],
)
def test_every_other_training_is_a_further_look(left: int, words: str) -> None:
    strategy = _strategy(weights={"full": 4.0, "top_blocks": 4.5}, choice="top_blocks", runner_up="full")
    verdict = verdict_record("NEGATIVE", looks_left=left)
    said = _steps(replace(SETTLED, verdict=verdict, strategy=strategy))
    assert len(said) == 3
    assert all(words in each for each in said)


def test_after_a_gain_a_runner_up_needs_no_new_images() -> None:
    strategy = _strategy(weights={"full": 4.0, "top_blocks": 4.5}, choice="top_blocks", runner_up="full")
    (said,) = _steps(replace(SETTLED, strategy=strategy))
    assert said.endswith("`dvc metrics diff` compares.")


def test_transfer_that_hurt_gets_frozen_features_then_other_weights() -> None:
    first, second = _steps(replace(SETTLED, verdict=verdict_record("NEGATIVE")))
    assert "overrule=feature_extraction" in first
    assert "network.weights" in second


def test_frozen_features_that_hurt_are_not_advised_again() -> None:
    verdict = verdict_record("NEGATIVE").model_copy(update={"strategy": "feature_extraction"})
    said = _steps(replace(SETTLED, verdict=verdict))
    assert not any("feature_extraction" in each for each in said)
    assert "training the head alone from these gave nothing" in said[-1]


def _by(strategy: str, outcome: str, **rates: float) -> Records:
    return replace(
        SETTLED,
        verdict=verdict_record(outcome).model_copy(update={"strategy": strategy}),
        transfer=training_record().model_copy(update={"strategy": strategy, "block_factors": rates}),
    )


@pytest.mark.parametrize("outcome", ["NEGATIVE", "INCONCLUSIVE", "EQUIVALENT"])
@pytest.mark.parametrize(
    ("strategy", "lowest"),
    [("feature_extraction", 0.0), ("top_blocks", 0.0), ("surgical", 0.0), ("gradual", 0.1), ("norms", 0.1)],
)
def test_if_blocks_were_frozen_the_first_step_is_to_train_all(outcome: str, strategy: str, lowest: float) -> None:
    findings = replace(_by(strategy, outcome, bottom=lowest, top=0.1, head=0.1), catalog=catalog_record("example"))
    first = _steps(findings)[0]
    assert "`dvc exp run -S select_strategy.overrule=full" in first
    assert TRANSFER_BY[cast(Strategy, strategy)] in first


@pytest.mark.parametrize("strategy", ["full", "top_blocks"])
def test_if_all_blocks_were_trained_no_strategy_trains_more(strategy: str) -> None:
    said = _steps(_by(strategy, "NEGATIVE", bottom=0.1, top=0.1, head=0.1))
    assert not any("overrule=full" in each for each in said)


def test_transfer_that_helped_needs_no_other_strategy() -> None:
    assert _steps(_by("top_blocks", "POSITIVE", bottom=0.0, top=0.1, head=0.1)) == ()


def test_full_fine_tuning_is_advised_once() -> None:
    weights = {"full": 4.0, "top_blocks": 4.5, "feature_extraction": 0.0}
    strategy = _strategy(weights=weights, choice="top_blocks", runner_up="full")
    said = _steps(replace(_by("top_blocks", "INCONCLUSIVE", bottom=0.0, head=0.1), strategy=strategy))
    assert sum("overrule=full" in each for each in said) == 1


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_every_command_sets_what_params_may_say(strategy: str) -> None:
    open_yet = _by(strategy, "INCONCLUSIVE", bottom=0.0, head=0.1)
    findings = replace(
        open_yet,
        verdict=open_yet.verdict.model_copy(update={"to_show": (12, 900)}),
        transfer=_trained((3, 3)).model_copy(update={"block_factors": {"bottom": 0.0}}),
    )
    said = [*_steps(findings), *_steps(_by(strategy, "NEGATIVE", bottom=0.0, head=0.1))]
    settings = re.findall(r"`dvc exp run -S ([\w.]+)=(\S+)`", " ".join(said))
    assert settings
    for key, value in settings:
        values = read_yaml(ROOT / "params.yaml")
        section, name = key.split(".")
        assert name in values[section]
        values[section][name] = parse_yaml(value, "-S")
        Params.model_validate(values)


@pytest.mark.parametrize(
    ("strategy", "of_it"),
    [("gradual", {"unfreeze": {"kind": "plateau", "patience": 2}}), ("surgical", {"surgical_blocks": ["block1"]})],
)
def test_a_command_that_leaves_a_strategy_turns_off_its_values(
    strategy: str, of_it: dict[str, Any], tmp_path: Path
) -> None:
    said = " ".join(_steps(_by(strategy, "NEGATIVE", bottom=0.0, head=0.1)))
    commands = re.findall(r"`(dvc exp run .+?)`", said)
    assert len(commands) >= 2
    now = read_yaml(ROOT / "params.yaml")
    now["select_strategy"]["overrule"] = strategy
    now["finetune_target"] |= of_it
    for number, command in enumerate(commands):
        path = tmp_path / f"{number}.yaml"
        path.write_text(json.dumps(now))
        apply_overrides(path, [each for each in shlex.split(command) if "=" in each])
        assert read_params(path).select_strategy.overrule != strategy


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lora", {"tuning": {"kind": "lora", "rank": 8, "alpha": 16.0}}),
        ("l2_sp", {"keeping": {"kind": "l2_sp", "strength": 0.01}}),
        ("coral", {"adapting": {"kind": "coral", "strength": 1.0}}),
    ],
)
@pytest.mark.parametrize("overruled", [True, False])
def test_a_command_turns_off_the_techniques_that_would_not_go_with_it(
    name: str, line: dict[str, Any], overruled: bool, tmp_path: Path
) -> None:
    tried = _by(name if overruled else "full", "NEGATIVE", bottom=0.1, head=0.1)
    said = " ".join(_steps(replace(tried, verdict=tried.verdict.model_copy(update={"techniques": (name,)}))))
    commands = re.findall(r"`(dvc exp run .+?)`", said)
    assert ("overrule=full" in said) == (name == "lora")
    assert "overrule=feature_extraction" in said
    now = read_yaml(ROOT / "params.yaml")
    now["select_strategy"]["overrule"] = name if overruled else None
    now["finetune_target"] |= line
    for number, command in enumerate(commands):
        path = tmp_path / f"{number}.yaml"
        path.write_text(json.dumps(now))
        apply_overrides(path, [each for each in shlex.split(command) if "=" in each])
        assert techniques_on(read_params(path).finetune_target) == ()


def test_what_was_tried_is_named_with_its_techniques() -> None:
    tried = _by("top_blocks", "NEGATIVE", bottom=0.0, head=0.1)
    said = _steps(replace(tried, verdict=tried.verdict.model_copy(update={"techniques": ("l2_sp",)})))
    assert "this verdict is on tuning the top blocks with L2-SP, and on no other strategy" in said[0]


def test_a_finding_on_the_data_is_repeated_with_its_advice() -> None:
    values: dict[str, Any] = {"severity": "warning", "ok": False, "n_unexpected": 1, "examples": ("a",)}
    validation = ValidationRecord(ok=True, findings=(Finding(name="skew", advice="Add images.", **values),))
    assert _steps(replace(SETTLED, validation=validation)) == ("Look at your data (skew): Add images.",)


def _strategy(**changes: object) -> StrategyRecord:
    return StrategyRecord.model_validate({**strategy_record().model_dump(), **changes})


def test_suspect_labels_are_pointed_out() -> None:
    labels = CHECKS.labels.model_copy(update={"n_suspects": 7})
    (said,) = _steps(replace(SETTLED, checks=CHECKS.model_copy(update={"labels": labels})))
    assert "7 look wrong" in said


def test_splits_that_can_be_told_apart_are_pointed_out() -> None:
    splits = [
        SplitCheck(other=other, by_class=True, auc=None, warns=warns, sentence=f"Told apart: {other}.")
        for other, warns in (("val", False), ("test", True))
    ]
    (said,) = _steps(replace(SETTLED, checks=CHECKS.model_copy(update={"splits": splits})))
    assert said == "Look at your splits. Told apart: test."


def test_a_rate_at_the_end_of_its_grid_is_repeated() -> None:
    reasons = (
        Reason(check="rates", level="warn", sentence="Widen train_scratch.rates."),
        Reason(check="export", level="pass", sentence="Equal."),
    )
    assert _steps(SETTLED, *reasons) == ("Widen train_scratch.rates.",)


def _trained(best_epochs: tuple[int, ...]) -> TrainingRecord:
    curve = tuple(Epoch(epoch=each, steps=each, train_loss=1, val_loss=1, val_accuracy=0.5) for each in (1, 2, 3))
    run = training_record().runs[0]
    runs = tuple(run.model_copy(update={"best_epoch": best, "curve": curve}) for best in best_epochs)
    return training_record().model_copy(update={"runs": runs})


def test_runs_that_were_still_improving_get_more_epochs() -> None:
    (said,) = _steps(replace(SETTLED, transfer=_trained((3, 3, 1))))
    assert "the best in 2 of 3 seeds" in said
    assert "training.epochs=6" in said


def test_twice_the_epochs_of_the_run_that_went_on_longest_are_advised() -> None:
    """Other runs ended early because validation stopped improving."""
    trained = _trained((3, 1))
    short = trained.runs[1].model_copy(update={"curve": trained.runs[1].curve[:1]})
    trained = trained.model_copy(update={"runs": (trained.runs[0], short)})
    (said,) = _steps(replace(SETTLED, transfer=trained))
    assert "training.epochs=6" in said


def test_runs_that_peaked_before_their_end_need_no_more_epochs() -> None:
    assert _steps(replace(SETTLED, transfer=_trained((3, 2, 1, 3)))) == ()


@pytest.mark.parametrize(("lead", "n_steps"), [(0.5, 1), (1.0, 1), (3.0, 0)])
def test_only_a_close_runner_up_is_worth_a_trial(lead: float, n_steps: int) -> None:
    weights = {"full": 1.0 + lead, "top_blocks": 1.0, "feature_extraction": 0.0}
    strategy = strategy_record().model_copy(update={"weights": weights, "runner_up": "top_blocks"})
    said = _steps(replace(SETTLED, strategy=strategy))
    assert len(said) == n_steps
    assert all("select_strategy.overrule=top_blocks" in each for each in said)


def test_there_are_at_most_three_steps() -> None:
    findings = replace(
        _unsettled(to_show=(7, 900)),
        catalog=catalog_record("example"),
        transfer=_trained((3,)),
    )
    assert len(_steps(findings, Reason(check="rates", level="warn", sentence="Widen."))) == 3


def test_without_a_verdict_labelled_test_images_come_first() -> None:
    steps = next_steps(replace(run_records(), verdict=no_verdict_record()), ())
    assert steps[0].startswith("Label target images for a test")
    assert not any("look" in each and "left" in each for each in steps)
