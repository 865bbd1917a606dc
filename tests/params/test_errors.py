"""Errors of rooms that know no params, said by those who do."""

import re

import pytest

from graft.params.errors import said_as_keys

KEYS = {"size_px": "images.size_px", "name": "network.name"}


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, RuntimeError])
def test_an_argument_at_the_start_of_a_sentence_becomes_its_key(kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, said_as_keys(KEYS):
        raise kind("size_px: want a size, got 3: too small.")
    assert type(caught.value) is kind
    assert str(caught.value) == "params.yaml, images.size_px: want a size, got 3: too small."


@pytest.mark.parametrize("said", ["path/net.pth: want weights", "want name: none", "names: want two"])
def test_other_sentences_stay_as_they_are(said: str) -> None:
    error = ValueError(said)
    with pytest.raises(ValueError, match=re.escape(said)) as caught, said_as_keys(KEYS):
        raise error
    assert caught.value is error


def test_a_function_can_be_marked() -> None:
    @said_as_keys(KEYS)
    def fails(name: str) -> None:
        raise ValueError(f"name: want another, got {name}.")

    for _ in range(2):
        with pytest.raises(ValueError, match=r"^params\.yaml, network\.name: want another, got x\.$"):
            fails("x")
