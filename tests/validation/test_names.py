import pytest

from graft.validation.names import look, nfc

ONE, OTHER = "caf\u00e9", "cafe\u0301"


def test_both_encodings_of_an_accent_are_one_name() -> None:
    assert ONE != OTHER
    assert nfc(ONE) == nfc(OTHER) == ONE


@pytest.mark.parametrize("name", [OTHER, "Caf\u00e9", "caf\u00e9 ", " CAFE\u0301\t"])
def test_names_that_differ_in_case_accents_encoding_or_spaces_at_the_ends_look_alike(name: str) -> None:
    assert look(name) == look(ONE)


def test_names_that_differ_otherwise_look_different() -> None:
    assert len({look(each) for each in ("cafe", ONE, "ca fe", "caf\u00e9s")}) == 4
