from pathlib import Path

import pytest

from graft.preparation.names import finder, some
from graft.store.catalogue import look, nfc

ONE, OTHER = "caf\u00e9", "cafe\u0301"


def test_both_encodings_of_an_accent_are_one_name() -> None:
    assert ONE != OTHER
    assert nfc(ONE) == nfc(OTHER) == ONE


@pytest.mark.parametrize("name", [OTHER, "Caf\u00e9", "caf\u00e9 ", " CAFE\u0301\t"])
def test_names_that_differ_in_case_accents_encoding_or_spaces_at_the_ends_look_alike(name: str) -> None:
    assert look(name) == look(ONE)


def test_names_that_differ_otherwise_look_different() -> None:
    assert len({look(each) for each in ("cafe", ONE, "ca fe", "caf\u00e9s")}) == 4


def test_so_many_names_are_counted_and_three_are_shown() -> None:
    assert some(["a", "b c"]) == "2 of them: 'a', 'b c'"
    assert some(list("abcd")) == "4 of them: 'a', 'b', 'c', ..."


@pytest.mark.parametrize("written", ["x/1.png", "./x/1.png", "x\\1.png", "raw/target/x/1.png", "raw\\target\\x\\1.png"])
def test_a_path_is_found_as_programs_write_it(written: str) -> None:
    assert finder(Path("raw/target"), ["x/1.png"])(written) == "x/1.png"


@pytest.mark.parametrize("written", ["1.png", "X/1.png", "other/x/1.png", "raw/x/1.png", "../x/1.png", "", "x"])
def test_a_path_that_means_no_file_is_not_found(written: str) -> None:
    assert finder(Path("raw/target"), ["x/1.png"])(written) is None


def test_a_path_is_found_in_either_encoding_and_as_it_lies_there() -> None:
    assert finder(Path(), [f"{OTHER}.png"])(f"{ONE}.png") == f"{OTHER}.png"
    assert finder(Path(), [f"{OTHER}.png", f"{ONE}.png"])(f"{OTHER}.png") == f"{OTHER}.png"
