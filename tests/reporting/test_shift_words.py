from types import ModuleType

import pytest

from graft.records.shift import ShiftRecord
from graft.reporting.figures.yardstick import range_of
from graft.reporting.shift_words import facts, fraction, measures, most_in, other_side, span


def _values(shift: ShiftRecord) -> dict[str, tuple[str, str]]:
    return {each.name: (each.value, each.beside) for each in measures(shift)}


def test_every_number_has_its_interval_or_its_value_by_chance(shift: ShiftRecord) -> None:
    assert _values(shift) == {
        "Squared MMD": ("0.0612", "0.0551 to 0.0673"),
        "p-value": ("0.001", ""),
        "Classifier AUC": ("0.968", "0.957 to 0.977"),
        "A-distance": ("1.62", ""),
        "Frechet distance": ("41.3", "1.93 by chance"),
        "Label shift": ("12.5%", ""),
        "Detectable shift": ("0.083", ""),
    }


def test_missing_numbers_are_left_out(shift: ShiftRecord) -> None:
    assert shift.size is not None
    few = shift.size.model_copy(update={"auc": None, "a_distance": None, "interval": None})
    found = _values(shift.model_copy(update={"size": few, "labels": None, "test": None}))
    assert found == {"Squared MMD": ("0.0612", ""), "Frechet distance": ("41.3", "1.93 by chance")}


def test_too_few_images_to_show_any_shift_are_reported(shift: ShiftRecord) -> None:
    assert shift.test is not None
    blind = shift.model_copy(update={"test": shift.test.model_copy(update={"detectable_shift": None})})
    assert _values(blind)["Detectable shift"] == ("none", "")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("own", ["Similarity", "Held against", "Target", "Told apart"]),
        ("proxy", ["Similarity", "Held against", "Target", "Told apart"]),
        ("bn_stats", ["Similarity", "Held against", "Target"]),
        ("none", ["Similarity", "Held against", "Target"]),
    ],
)
def test_only_known_facts_are_shown(samples: ModuleType, kind: str, names: list[str]) -> None:
    found = facts(samples.sample_evidence(kind=kind).shift)
    assert [each.name for each in found] == names
    known = kind in ("own", "proxy")
    seen = ("mid", "between blur 2 and noise 3")
    assert found[0][1:] == (seen if known else ("unknown", "tables that need it abstain"))


def test_a_target_beyond_every_mark_is_described_as_such(shift: ShiftRecord) -> None:
    assert shift.yardstick is not None
    assert range_of(shift.yardstick.model_copy(update={"between": ("pure noise", None)})) == "beyond pure noise"


def test_the_images_of_a_proxy_are_called_a_bank(samples: ModuleType, shift: ShiftRecord) -> None:
    assert other_side(shift.source) == "source"
    assert other_side(samples.sample_evidence(kind="proxy").shift.source) == "bank"


def test_the_block_that_differs_most_is_named_with_its_unit(samples: ModuleType, shift: ShiftRecord) -> None:
    nats = samples.sample_evidence(kind="bn_stats").shift.profile
    assert most_in(nats) == "It differs most in features.18: 1.01 (0.808 to 1.26), divergence of a channel, in nats."
    assert shift.profile is not None
    assert most_in(shift.profile).startswith("It differs most in block1: 0.142 (0.114 to 0.177), squared MMD")


@pytest.mark.parametrize(("multiple", "written"), [(0.00390625, "1/256"), (0.25, "1/4"), (1.0, "1"), (4.0, "4")])
def test_multiples_are_written_as_fractions(multiple: float, written: str) -> None:
    assert fraction(multiple) == written


def test_a_missing_interval_is_written_as_nothing() -> None:
    assert span(None) == ""
