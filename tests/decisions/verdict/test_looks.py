"""The ledger of looks: what is a look, which look was planned, and what the ledger survives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.decisions.verdict.arms import balanced, split_of, splits_with
from tests.house import ROOT

from graft.decisions.verdict.looks import Standing, Trained, close_look, look_at, open_look, standing_of
from graft.files import read_record, write_record
from graft.params.pipeline import Params, read_params
from graft.params.techniques import EWC, L2SP, Coral
from graft.records.common import Outcome
from graft.records.looks import Look, LooksRecord

PARAMS = read_params(ROOT / "params.yaml")


def look(params: str, verdict: Outcome | None = None, **changes: Any) -> Look:
    values = {"test_sha256": "t", "n_seeds": 5, "planned": 1, "level": 0.05, **changes}
    return Look.model_validate({"params_sha256": params, "verdict": verdict, **values})


def standing(*before: Look, this: Look | None = None) -> Standing:
    this = this or look("this")
    return standing_of(LooksRecord(looks=(*before, this)), this)


def with_section(section: str, **changes: Any) -> Params:
    values = getattr(PARAMS, section)
    return PARAMS.model_copy(update={section: values.model_copy(update=changes)})


def at(params: Params = PARAMS, **changes: Any) -> Look:
    values: dict[str, Any] = {
        "splits": splits_with(split_of(balanced(8))),
        "trained": Trained("full", 5, "s"),
        **changes,
    }
    found = look_at(values["splits"], params, values["trained"])
    assert found is not None
    return found


def test_the_first_look_is_planned_and_has_nothing_to_say() -> None:
    found = standing()
    assert (found.n_looks, found.planned, found.unplanned, found.said) == (1, 1, False, "")


@pytest.mark.parametrize("verdict", ["INCONCLUSIVE", "NEGATIVE", "EQUIVALENT", None])
def test_a_second_look_after_one_without_a_gain_is_unplanned_and_says_what_came_before(verdict: Outcome | None) -> None:
    found = standing(look("a", verdict))
    assert found.unplanned
    assert found.said == (f"This is look 2 at these test images, 1 planned; before: {verdict or 'broken off'}.")


def test_a_look_after_a_gain_is_said_and_not_limited() -> None:
    found = standing(look("a", "POSITIVE"))
    assert not found.unplanned
    assert "look 2 at these test images" in found.said


def test_looks_at_other_test_images_do_not_count() -> None:
    found = standing(look("a", "INCONCLUSIVE", test_sha256="other"))
    assert (found.n_looks, found.unplanned, found.said) == (1, False, "")


def test_the_plan_of_the_first_look_holds_for_all() -> None:
    first = look("a", "INCONCLUSIVE", planned=2)
    assert not standing(first).unplanned
    assert standing(first).planned == 2
    assert standing(first, look("b", "INCONCLUSIVE")).unplanned


def test_a_plan_made_after_the_first_look_is_too_late() -> None:
    found = standing(look("a", "INCONCLUSIVE"), this=look("this", planned=5))
    assert (found.planned, found.unplanned) == (1, True)


def test_a_look_of_two_seeds_spends_nothing_and_is_said() -> None:
    found = standing(look("a", "INCONCLUSIVE", n_seeds=2))
    assert (found.n_looks, found.unplanned) == (1, False)
    assert found.said == "1 look of two seeds came before; two seeds can claim nothing."


def test_a_second_training_tried_by_two_seeds_counts_since_the_better_one_is_chosen_by_the_test_images() -> None:
    tried = [look(each, "INCONCLUSIVE", n_seeds=2) for each in "ab"]
    found = standing(*tried)
    assert (found.n_looks, found.unplanned) == (2, True)
    assert "before: INCONCLUSIVE by two seeds" in found.said
    planned = [each.model_copy(update={"planned": 2}) for each in tried]
    assert not standing(*planned).unplanned


def test_the_level_of_the_first_look_holds_for_all_unless_less_is_asked() -> None:
    first = look("a", "INCONCLUSIVE", planned=2)
    assert standing(first, this=look("this", level=0.4)).level == 0.05
    assert standing(first, this=look("this", level=0.01)).level == 0.01


def test_a_plan_may_still_be_made_after_a_look_of_two_seeds() -> None:
    assert standing(look("a", "INCONCLUSIVE", n_seeds=2), this=look("this", planned=3)).planned == 3


def test_a_look_of_two_seeds_after_others_is_not_called_unplanned() -> None:
    found = standing(look("a", "INCONCLUSIVE"), this=look("this", n_seeds=2))
    assert (found.n_looks, found.unplanned) == (1, False)


def test_an_earlier_look_that_is_taken_again_is_judged_by_what_came_before_it() -> None:
    first = look("a", "INCONCLUSIVE")
    record = LooksRecord(looks=(first, look("b", "INCONCLUSIVE")))
    assert not standing_of(record, first).unplanned


@pytest.mark.parametrize(("outcome", "left"), [("POSITIVE", 1), ("INCONCLUSIVE", 0)])
def test_a_look_with_a_gain_leaves_the_plan_as_it_was(outcome: Outcome, left: int) -> None:
    assert standing().left(outcome) == left


def test_a_look_is_in_the_ledger_before_it_is_judged_so_that_a_killed_run_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "looks.json"
    open_look(path, look("a"))
    assert read_record(LooksRecord, path).looks == (look("a"),)
    close_look(path, look("a"), "POSITIVE")
    assert read_record(LooksRecord, path).looks == (look("a", "POSITIVE"),)


def test_the_same_look_taken_again_leaves_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "looks.json"
    for _ in range(2):
        open_look(path, look("a"))
        close_look(path, look("a"), "NEGATIVE")
        before = path.read_bytes()
    assert len(read_record(LooksRecord, path).looks) == 1
    assert path.read_bytes() == before


def test_the_plan_of_a_look_cannot_be_changed_by_taking_it_again(tmp_path: Path) -> None:
    path = tmp_path / "looks.json"
    open_look(path, look("a"))
    assert open_look(path, look("a", planned=9)).planned == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 9, "looks": []}', '<<<<<<< HEAD\n{"looks": []}'])
def test_a_damaged_ledger_is_one_clear_error_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "looks.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"looks\.json: want a LooksRecord, got .*restore it \(`git checkout \S+looks"):
        open_look(path, look("a"))
    assert path.read_text() == text


def test_what_follows_from_the_answer_is_no_other_question() -> None:
    policy = with_section("check_transfer", on_negative="warn", on_inconclusive="fail", planned_looks=4)
    assert at(policy).params_sha256 == at().params_sha256
    assert at(policy).planned == 4


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("check_transfer", {"margin": 0.03}),
        ("check_transfer", {"level": 0.1}),
        ("check_transfer", {"metric": "balanced_accuracy"}),
        ("training", {"epochs": 99}),
        ("finetune_target", {"depth_decay": 0.5}),
        ("train_scratch", {"long_factor": 9}),
        ("pretrain_source", {"epochs": 99}),
    ],
)
def test_other_training_and_other_questions_are_other_looks(section: str, changes: dict[str, Any]) -> None:
    assert at(with_section(section, **changes)).params_sha256 != at().params_sha256


@pytest.mark.parametrize("trained", [Trained("top_blocks", 5, "s"), Trained("full", 8, "s")])
def test_another_strategy_and_more_seeds_are_other_looks(trained: Trained) -> None:
    assert at(trained=trained).params_sha256 != at().params_sha256


def test_what_makes_neither_arm_makes_no_other_look() -> None:
    for section, changes in (("measure_shift", {"n_permutations": 99}), ("validate_data", {"min_side_px": 1})):
        assert at(with_section(section, **changes)).params_sha256 == at().params_sha256


def test_a_budget_by_name_is_the_look_of_its_number_of_seeds() -> None:
    assert at(with_section("training", budget=PARAMS.training.n_seeds)).params_sha256 == at().params_sha256


def test_the_order_of_the_test_images_makes_no_other_test_split_but_labels_and_images_do() -> None:
    test = split_of(balanced(8))
    turned = test._replace(labels=test.labels[::-1], sha256=test.sha256[::-1])
    relabelled = test._replace(labels=np.roll(test.labels, 1))
    assert at(splits=splits_with(turned)).test_sha256 == at().test_sha256
    assert at(splits=splits_with(relabelled)).test_sha256 != at().test_sha256
    assert at(splits=splits_with(split_of(balanced(9)))).test_sha256 != at().test_sha256


def test_other_train_or_val_images_are_another_look_at_the_same_test_images() -> None:
    before, more = splits_with(split_of(balanced(8))), split_of(balanced(12))
    for splits in (before._replace(train=more), before._replace(val=more)):
        assert at(splits=splits).params_sha256 != at().params_sha256
        assert at(splits=splits).test_sha256 == at().test_sha256


def test_a_change_that_changes_no_arm_is_the_same_look() -> None:
    """An unused recipe, the order of rates, where a weights file lies, and pretraining where weights are published."""
    published = with_section("network", weights="IMAGENET1K_V1")
    assert at(PARAMS.model_copy(update={"recipes": {**PARAMS.recipes, "other": PARAMS.recipes["none"]}})) == at()
    assert at(with_section("train_scratch", rates=PARAMS.train_scratch.rates[::-1])) == at()
    assert at(with_section("network", weights_file="elsewhere.pth")) == at()
    longer = published.model_copy(update={"pretrain_source": PARAMS.pretrain_source.model_copy(update={"epochs": 99})})
    assert at(longer, trained=Trained("full", 5, "other")) == at(published)


def test_what_changes_the_arms_is_another_look() -> None:
    """A source that is learned from, folds of the probe that the first head comes from, groups of train images."""
    before = splits_with(split_of(balanced(8)))
    one_group = before.train._replace(groups=np.full(len(before.train.labels), "g"))
    others = (
        at(trained=Trained("full", 5, "other")),
        at(with_section("select_strategy", folds=7)),
        at(splits=before._replace(train=one_group)),
        at(with_section("pretrain_source", epochs=99)),
    )
    assert at().params_sha256 not in {each.params_sha256 for each in others}
    assert {each.test_sha256 for each in others} == {at().test_sha256}


def test_names_of_groups_make_no_other_look() -> None:
    before = splits_with(split_of(balanced(8)))
    renamed = before.train._replace(groups=np.char.add("x", before.train.groups))
    assert at(splits=before._replace(train=renamed)) == at()


def test_the_metric_that_auto_stands_for_is_the_same_look() -> None:
    assert at(with_section("check_transfer", metric="accuracy")) == at()
    assert at(with_section("check_transfer", metric="balanced_accuracy")).params_sha256 != at().params_sha256


L2_SP = L2SP(kind="l2_sp", strength=0.01)
EWC_VALUES = EWC(kind="ewc", strength=1.0, images=9)


def test_techniques_that_are_off_leave_the_looks_of_earlier_ledgers_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look is the hash of what stands here, so a key that came later must not stand here while it is off."""
    asked: list[dict[str, Any]] = []

    def noted(value: dict[str, Any], **others: Any) -> str:
        asked.append(value)
        return dumps(value, **others)

    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", noted)
    at()
    at(with_section("finetune_target", keeping=L2_SP))
    off, on = (each["finetune_target"] for each in asked)
    assert sorted(off) == ["batchnorm", "depth_decay", "rates", "surgical_blocks", "top_blocks", "unfreeze", "views"]
    assert on == {**off, "keeping": {"kind": "l2_sp", "strength": 0.01}}


@pytest.mark.parametrize(
    "changes",
    [
        {"keeping": L2_SP},
        {"keeping": L2SP(kind="l2_sp", strength=0.02)},
        {"adapting": Coral(kind="coral", strength=1.0)},
        {"tuning": "bias"},
        {"choose_by": "information_maximisation"},
    ],
)
def test_a_technique_makes_another_look(changes: dict[str, Any]) -> None:
    other = at(with_section("finetune_target", **changes)).params_sha256
    assert other not in {at().params_sha256, at(with_section("finetune_target", keeping=EWC_VALUES)).params_sha256}


def test_a_technique_by_name_or_beside_full_is_the_same_look() -> None:
    params = with_section("finetune_target", keeping=L2_SP)
    assert at(params, trained=Trained("l2_sp", 5, "s")) == at(params, trained=Trained("full", 5, "s"))
    assert at(params, trained=Trained("top_blocks", 5, "s")) != at(params, trained=Trained("full", 5, "s"))


@pytest.mark.parametrize(("keeping", "same"), [("none", True), (L2_SP, True), (EWC_VALUES, False)])
def test_images_of_the_source_count_where_a_technique_reads_them(keeping: Any, same: bool) -> None:
    published = with_section("network", weights="IMAGENET1K_V1")
    arm = published.finetune_target.model_copy(update={"keeping": keeping})
    params = published.model_copy(update={"finetune_target": arm})
    assert (at(params, trained=Trained("full", 5, "s")) == at(params, trained=Trained("full", 5, "other"))) == same


def test_without_a_labelled_image_nothing_is_looked_at_and_the_ledger_stays(tmp_path: Path) -> None:
    nothing = splits_with(split_of(balanced(0)))._replace(labels_from="source")
    assert look_at(nothing, PARAMS, Trained("full", 5, "s")) is None
    path = tmp_path / "looks.json"
    for before in (LooksRecord(), LooksRecord(looks=(look("a", "POSITIVE"),))):
        write_record(before, path)
        found = open_look(path, None)
        close_look(path, None, "NONE")
        assert (found.n_looks, found.counts) == (0, False)
        assert read_record(LooksRecord, path) == before


def test_a_missing_ledger_is_begun_where_nothing_is_looked_at(tmp_path: Path) -> None:
    open_look(tmp_path / "looks.json", None)
    assert read_record(LooksRecord, tmp_path / "looks.json").looks == ()


def test_unlabelled_images_are_part_of_what_looks_where_transfer_reads_them() -> None:
    one, other = (Trained("full", 5, "s", name) for name in ("u", "v"))
    adapting = with_section("finetune_target", adapting=Coral(kind="coral", strength=1.0))
    assert at(adapting, trained=one) != at(adapting, trained=other)
    chosen = with_section("finetune_target", choose_by="information_maximisation")
    assert at(chosen, trained=one) != at(chosen, trained=other)
    assert at(trained=one) == at(trained=other) == at()
