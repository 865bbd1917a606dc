import pytest

from graft.records.common import Interval
from graft.records.shift import BlockProfile, BlockShift, ClassMoved, ShiftSize, ShiftSource, ShiftTest, ShiftYardstick
from graft.shift import sentences
from graft.shift.yardstick import Place

OWN = ShiftSource(kind="own", name="source", licence=None, n_images=400)
PROXY = ShiftSource(kind="proxy", name="Photographs", licence="CC0", n_images=300)
PLACE = Place(2.0, (), (1.8, 2.2), ("blur 1", "noise 3"), "mid", (), "The target lies between blur 1 and noise 3.")
SIZE = ShiftSize(
    mmd2=0.123,
    interval=Interval(estimate=0.123, low=0.1, high=0.15),
    bandwidth2=10.0,
    confidence=0.95,
    auc=Interval(estimate=0.84, low=0.77, high=0.9),
    a_distance=1.0,
    frechet=6.0,
    frechet_by_chance=2.0,
)


def a_test(p_value: float = 0.001, detectable_shift: float | None = 0.14) -> ShiftTest:
    return ShiftTest(
        p_value=p_value,
        n_permutations=999,
        mmd2=0.2,
        bandwidth2=2.5,
        bandwidths=(),
        null_mmd2=(),
        method="exact",
        bins=(400, 200),
        rows_used=(400, 200),
        detectable_mmd2=0.01,
        detectable_shift=detectable_shift,
    )


def moved(label: str, mmd2: float, p: float) -> ClassMoved:
    return ClassMoved(label=label, n_source=9, n_target=9, mmd2=mmd2, p_value=p, p_holm=p)


def remarks(**changes: object) -> str:
    given = {"test": a_test(), "classes": (), "n_dropped": 0, **changes}
    return " ".join(sentences.remarks(**given))  # type: ignore[arg-type]


def test_with_the_users_own_source_the_sentence_gives_place_size_and_counts() -> None:
    assert sentences.sentence(OWN, (a_test(), SIZE), PLACE, "mid", (300, 200)) == (
        "The target lies between blur 1 and noise 3: mid (MMD^2 0.12, 0.1 to 0.15; p = 0.001; "
        "300 source and 200 target images)."
    )


def test_a_bank_is_named_with_count_and_licence_and_never_called_the_source() -> None:
    said = sentences.sentence(PROXY, (a_test(), SIZE), PLACE, "mid", (300, 200))
    assert said.startswith(
        "Compared with the bank Photographs (300 images, CC0), not the network's own source: the target lies between"
    )
    assert said.endswith("p = 0.001; 200 target images).")


def test_without_an_interval_the_sentence_gives_none() -> None:
    said = sentences.sentence(OWN, (a_test(), SIZE.model_copy(update={"interval": None})), PLACE, "mid", (300, 200))
    assert "(MMD^2 0.12; p = 0.001;" in said


@pytest.mark.parametrize(("source", "start"), [(OWN, "The yardstick"), (PROXY, "Compared with the bank")])
def test_without_a_yardstick_the_sentence_says_why(source: ShiftSource, start: str) -> None:
    said = sentences.sentence(source, (a_test(), SIZE), None, "mid", (300, 200))
    assert said.startswith(start)
    assert "yardstick needs 4 source images (or groups), so the target lies at an unknown distance (MMD^2" in said


def test_without_a_source_the_farthest_and_the_nearest_block_are_named() -> None:
    shifts = {"stem": 0.5, "block1": 2.25, "top": 0.125}
    blocks = tuple(
        BlockShift(block=name, n_channels=3, shift=Interval(estimate=value, low=value / 2, high=2 * value))
        for name, value in shifts.items()
    )
    profile = BlockProfile(measure="divergence", n_images=(0, 9), blocks=blocks)
    said = sentences.sentence_without_source(OWN.model_copy(update={"name": "resnet18 (X)"}), profile, "")
    assert "similarity is unknown. Compared with the running moments of resnet18 (X)" in said
    assert "most in block1 (2.2 nats a channel, 1.1 to 4.5) and least in top (0.12)" in said
    assert "with no p-value. Put images under data/raw/source, or name a bank (`graft bank`)" in said


def test_without_a_source_and_batchnorm_the_reason_is_given() -> None:
    said = sentences.sentence_without_source(OWN, None, "bn_stats: want BatchNorm, got LayerNorm. Name images.")
    assert said.startswith("The distance of the target from the source is unknown. ")
    assert "got LayerNorm. Name images. Put images under data/raw/source" in said


def test_there_are_no_remarks_without_a_reason() -> None:
    assert sentences.remarks(a_test(), (), 0) == ()


@pytest.mark.parametrize(("p", "shift", "said"), [(0.3, 0.14, True), (0.05, 0.14, False), (0.3, None, False)])
def test_a_large_p_comes_with_the_detectable_shift(p: float, shift: float | None, said: bool) -> None:
    found = "No shift was found; one of 0.14 standard deviations" in remarks(test=a_test(p, shift))
    assert found is said


def test_classes_that_moved_are_named_the_farthest_first() -> None:
    classes = (moved("cat", 0.1, 0.05), moved("dog", 0.3, 0.01), moved("eel", 0.9, 0.06))
    assert "2 of 3 shared classes moved: dog, cat." in remarks(classes=classes)
    assert "0 of 1 shared classes moved." in remarks(classes=classes[2:])


def test_of_many_classes_ten_are_named() -> None:
    classes = tuple(moved(f"c{number:02}", 1 - number / 100, 0.01) for number in range(12))
    assert "12 of 12 shared classes moved: c00, c01" in remarks(classes=classes)
    assert "c09 and 2 more." in remarks(classes=classes)


def test_images_that_were_left_out_are_counted() -> None:
    assert "7 source images are in the target too and were left out." in remarks(n_dropped=7)


@pytest.mark.parametrize(("shift", "warned"), [(0.2, False), (0.21, True)])
def test_a_test_that_misses_small_shifts_is_underpowered(shift: float, warned: bool) -> None:
    said = sentences.warnings(a_test(detectable_shift=shift), (40, 20), None)
    assert bool(said) is warned
    if warned:
        assert (
            "Underpowered: with 40 independent source and 20 target images the test finds only shifts of 0.21"
            in said[0]
        )


def test_a_test_that_finds_nothing_says_so() -> None:
    assert (
        "the test finds no shift at all, four times in five"
        in sentences.warnings(a_test(detectable_shift=None), (2, 3), None)[0]
    )


def _yardstick(*doubts: str) -> ShiftYardstick:
    return ShiftYardstick(
        n_images=(9, 9),
        clean=0.0,
        marks=(),
        noise=1.0,
        severity=2.0,
        severities=(0.4, 4.25),
        by_corruption=(),
        between=("blur 1", "noise 3"),
        doubts=doubts,
    )


def test_every_doubt_about_similarity_is_a_warning() -> None:
    (said,) = sentences.warnings(a_test(detectable_shift=0.1), (40, 20), _yardstick("one", "another"))
    assert said == "Similarity is taken as unknown, and tables that ask for it abstain: one; another."
    assert sentences.warnings(a_test(detectable_shift=0.1), (40, 20), _yardstick()) == ()
