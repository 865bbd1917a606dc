from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import dumps_yaml, parse_yaml

from graft.yaml_files import MOST_VALUES, read_yaml, with_values
from tests.house import ROOT

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{below}'] * 9)}]}}\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def _read(folder: Path, text: str) -> Any:
    (folder / "a.yaml").write_bytes(text.encode())
    return read_yaml(folder / "a.yaml")


def _error(folder: Path, text: str) -> str:
    with pytest.raises(ValueError, match=r"a\.yaml") as caught:
        _read(folder, text)
    return str(caught.value).replace(str(folder), "").lstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        *[f"a: {each}" for each in ("1e-05", "3E-5", ".5", "-1.5e+3", "1_000", "0o17", "017", "0x1f", "0b1", "1:30")],
        *[f"a: {each}" for each in ("yes", "on", "y", "True", "~", ".inf")],
        "a: 'yes'",
        "a: {b: [1, two, null, true]}",
        "a: |\n  b\n  c\n",
        "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: *x",
        "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}",
        "%YAML 1.1\n---\na: yes",
        "\ufeffa: 1",
        "a: 1\r\nb: 2\r\n",
        "# nothing",
    ],
)
def test_a_text_is_read_as_dvc_reads_it(tmp_path: Path, text: str) -> None:
    assert (_read(tmp_path, text) or {}) == parse_yaml(text, "a.yaml")


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "bentofile.yaml", ".pre-commit-config.yaml"])
def test_the_files_of_the_repository_are_read_as_dvc_reads_them(name: str) -> None:
    assert read_yaml(ROOT / name) == parse_yaml((ROOT / name).read_text(encoding="utf-8"), name)


def test_what_dvc_writes_is_read_back(tmp_path: Path) -> None:
    values = {"rate": 3e-05, "tiny": 1e-300, "large": 1e22, "no": "no", "text": "1e3", "date": "2024-01-01", "n": None}
    assert _read(tmp_path, dumps_yaml(values)) == values


def test_keys_are_names(tmp_path: Path) -> None:
    assert _read(tmp_path, "1: a\ntrue: b\n'2024-01-01': c") == {"1": "a", "true": "b", "2024-01-01": "c"}


def test_if_a_name_is_wanted_it_is_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("names: [1, no, x]\nnumbers: [1]\nnone: null\n")
    found = read_yaml(tmp_path / "a.yaml", lambda place: place[0] in ("names", "none"))
    assert found == {"names": ["1", "no", "x"], "numbers": [1], "none": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("b: 1\na: 2024-13-45", "a.yaml, line 2, a: want a value that YAML knows, got 2024-13-45 (month must be in"),
        ("b: 1\na: [0, " + "9" * 5000 + "]", "a.yaml, line 2, a.1: want a value that YAML knows, got 9999"),
        ("a: !!int x", "a.yaml, line 1, a: want a value that YAML knows, got x"),
        ("a: !!bool x", "a.yaml, line 1, a: want a value that YAML knows, got x"),
        ("a: {b: 1,\n b: 2}", "a.yaml, line 2, a: want YAML, got the key b twice. Delete one of them."),
        ("1: a\n1: b", "a.yaml, line 2: want YAML, got the key 1 twice."),
        ("01: a", "a.yaml, line 1: want a name, got 01, which YAML takes for the int 1. Put it in quotes: '01'."),
        ("a:\n  ? [1, 2]\n  : 3", "a.yaml, line 2, a: want a name before the colon, got a list or keys."),
        ("a: 1\nb:\t2", "a.yaml, line 2: want YAML, got: found character '\\t' that cannot start any token."),
        ("a: 1\nb: \x00", "a.yaml, line 2: want YAML, got: unacceptable character #x0000"),
        ("a: 1\n--- \nb: 2", "a.yaml, line 2: want YAML, got: but found another document"),
        ("a: *b", "a.yaml, line 1: want YAML, got: found undefined alias 'b'."),
        ("a: !!python/object:os.system x", "a.yaml, line 1: want YAML, got: could not determine a constructor for"),
        ("a: !!set {x, y}", "a.yaml, line 1, a: want a plain list or keys, got the tag tag:yaml.org,2002:set."),
        ("a: {<<: 1}", "a.yaml, line 1, a: want the alias of a section after `<<`, got a value."),
        ("a: " + "[" * 1000, "a.yaml: want YAML, got endlessly nested lists."),
        ("a: &x [*x]", "a.yaml: want YAML, got endlessly nested lists."),
        ("a: &x {<<: *x}", "a.yaml: want YAML, got endlessly nested lists."),
    ],
)
def test_a_fault_is_an_error_with_its_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    error = _error(tmp_path, text)
    assert error.startswith(said)
    assert "\n" not in error
    assert len(error) < 400


def test_bytes_that_are_not_utf8_are_reported_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(ValueError, match=r"a\.yaml, line 2: want YAML in UTF-8, got b'\\xe9'\. .* save as UTF-8"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize("text", [LAUGHS, MERGES])
def test_aliases_that_would_expand_without_bound_are_refused(tmp_path: Path, text: str) -> None:
    error = _error(tmp_path, text)
    assert f"want at most {MOST_VALUES:,} values in the file, got more" in error
    assert len(error) < 400


EDITED = """# top
a: 1      # one
b:
  c: 'x'  # quoted
  d: # nothing
  e:
    - 1   # first
    - 2
    # behind the list
  f: {g: 0.5, h: [1,
    2]}
i: null
"""


def _with(folder: Path, text: str, **values: Any) -> str:
    (folder / "a.yaml").write_bytes(text.encode())
    return with_values(folder / "a.yaml", {tuple(key.split("__")): value for key, value in values.items()})


@pytest.mark.parametrize(
    ("values", "line", "instead"),
    [
        ({"a": 23}, "a: 1      # one", "a: 23      # one"),
        ({"b__c": "z"}, "  c: 'x'  # quoted", "  c: z  # quoted"),
        ({"b__d": 3}, "  d: # nothing", "  d: 3 # nothing"),
        ({"b__e": [3, 4]}, "    - 1   # first\n    - 2\n", "    [3, 4]\n"),
        ({"b__f__g": 1e-05}, "{g: 0.5,", "{g: 1e-05,"),
        ({"b__f__h": []}, "[1,\n    2]", "[]"),
        ({"i": True}, "i: null\n", "i: true\n"),
        ({"a": None, "i": 0.25}, "a: 1 ", "a: null "),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_with_values_changes_only_the_value(
    tmp_path: Path, values: dict[str, Any], line: str, instead: str, ends: str
) -> None:
    text = _with(tmp_path, EDITED.replace("\n", ends), **values)
    changed = EDITED.replace(line, instead)
    assert text == (changed.replace("i: null", "i: 0.25") if len(values) > 1 else changed).replace("\n", ends)


@pytest.mark.parametrize(
    "value",
    ["no", "1e3", "", "null", "a: b", "é \U0001f600 # x", "it's", "2024-01-01", r"(p\d+)", "models/a-b.pth", "x y"],
)
def test_a_written_text_can_be_read_back(tmp_path: Path, value: str) -> None:
    text = _with(tmp_path, "a: 1\n", a=value)
    assert _read(tmp_path, text) == {"a": value} == parse_yaml(text, "a.yaml")


@pytest.mark.parametrize("top", ["", "s:\n  "])
def test_a_list_below_its_key_is_replaced_by_a_valid_one(tmp_path: Path, top: str) -> None:
    """DVC writes lists so, for example in `dvc exp apply`."""
    space = " " * (2 if top else 0)
    text = _with(tmp_path, f"{top}a:\n{space}- 1\n{space}- 2\n{space}b: 3\n", **{"s__a" if top else "a": [5, 6]})
    assert text == f"{top}a:\n{space}  [5, 6]\n{space}b: 3\n"
    values = {"a": [5, 6], "b": 3}
    assert _read(tmp_path, text) == ({"s": values} if top else values) == parse_yaml(text, "a.yaml")


def test_plain_text_is_written_without_quotes(tmp_path: Path) -> None:
    assert _with(tmp_path, "\ufeffa: 1", a="IMAGENET1K_V1") == "\ufeffa: IMAGENET1K_V1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x", "a.yaml, a: want a value of its own, got an anchor or an alias. Write it out in its"),
        ("c: &x 1\na: *x", "a.yaml, a: want a value of its own, got an anchor or an alias"),
        ("c: &x {a: 1}\nd: {<<: *x}", "a.yaml, a: want a value of its own, got none"),
    ],
)
def test_a_shared_value_is_not_changed(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"a\.yaml") as caught:
        _with(tmp_path, text, a=2)
    assert str(caught.value).replace(str(tmp_path), "").lstrip("/").startswith(said)
