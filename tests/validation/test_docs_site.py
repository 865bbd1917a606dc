import re
from pathlib import Path

import pandas as pd
import pytest
from tests.validation.samples import GREY_WEIGHTS, domain, domains, params, row

from graft.records.validation import Finding
from graft.validation.docs_site import readable_offline
from graft.validation.expectations import validate
from graft.validation.judge import Suite, judge
from graft.validation.rules import store_rules

LOADS = re.compile(
    r"<(?:script|link|img|iframe|object|embed|video|audio|source|base)\b"  # what loads, or runs and may load
    r"|<meta[^>]*http-equiv=.refresh|@import|url\(|\bsrcset\b|<[^<>]*\son\w+=|https?://|[\"'=(]//",
    re.IGNORECASE,
)
EVIL = "<img src=http:evil onerror=alert(1)> & \"'<script src=evil.js>.jpg"


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data Docs of data with many faults, one of them in a file whose name is HTML."""
    folder = tmp_path_factory.mktemp("docs")
    rows = [row(f"{split}/cat/{n}") for split in ("train", "val", "test") for n in range(3)]
    broken = [row(f"train/dog/{EVIL}", error="<b>truncated</b>"), row("train/dog/x", "same"), row("val/cat/y", "same")]
    validate(domains(domain("source", []), domain("target", [*rows, *broken])), GREY_WEIGHTS, params(), folder)
    return folder


def pages(docs: Path) -> dict[str, str]:
    return {str(page.relative_to(docs)): page.read_text(encoding="utf-8") for page in docs.rglob("*") if page.is_file()}


def test_no_file_loads_anything_or_runs_a_script(docs: Path) -> None:
    texts = pages(docs)
    assert len(texts) == 15
    assert {name: LOADS.findall(text) for name, text in texts.items() if LOADS.search(text)} == {}


@pytest.mark.parametrize(
    "text", ['<script src="a.js">', "<LINK href=x>", 'src="//cdn/x"', "url(x)", "<a href='http://x'>", "<p onclick=x>"]
)
def test_the_pattern_matches_what_would_load(text: str) -> None:
    assert LOADS.search(text)


def test_every_page_forbids_loading_and_has_our_style(docs: Path) -> None:
    for name, text in pages(docs).items():
        assert "default-src 'none'; style-src 'unsafe-inline'" in text, name
        assert text.count("<style>") == 1, name


def test_every_link_leads_to_a_file_or_to_an_anchor(docs: Path) -> None:
    for name, text in pages(docs).items():
        for link in re.findall(r'href="([^"]*)"', text):
            page, _, place = link.partition("#")
            assert not page or (docs / name).parent.joinpath(page).is_file(), (name, link)
            here = place.startswith("section") and "collapse" not in place and not page
            assert not here or f'id="{place}"' in text, (name, link)


def test_the_first_page_names_files_and_says_what_to_do(docs: Path) -> None:
    first = (docs / "index.html").read_text(encoding="utf-8")
    assert "target/train/dog/x = target/val/cat/y" in first
    assert "keep each image in one split" in first
    assert "&lt;img src=http:evil onerror=alert(1)&gt; &amp; &quot;&#x27;&lt;script" in first
    assert "&lt;b&gt;truncated&lt;/b&gt;" in first
    assert "<td>none</td><td>groups in two splits</td>" in first
    assert "<td>critical</td><td>images in two splits</td>" in first


def test_the_pages_of_great_expectations_say_what_was_expected(docs: Path) -> None:
    (results,) = docs.glob("validations/images/**/*.html")
    text = results.read_text(encoding="utf-8")
    assert "no images in two splits (critical)" in text
    assert "2 unexpected values found" in text
    (suite,) = docs.glob("expectations/images.html")
    assert "keep each image in one split" in suite.read_text(encoding="utf-8")


def test_unused_pictures_and_fonts_are_removed(docs: Path) -> None:
    assert {path.suffix for path in docs.rglob("*") if path.is_file()} == {".html"}


def test_scripts_styles_and_handlers_are_removed_and_text_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "expectations" / "some.html"
    page.parent.mkdir()
    page.write_text(
        '<html><head><title>x</title><link rel="stylesheet" href="https://x/y.css"><script>a < b</script></head>'
        "<body><p onclick=\"go('x')\" style='color: red'>words</p><IMG\nsrc='https://x/z.png'/>"
        '<a href="https://x">more</a> <a href="../index.html">home</a><script src="https://x/a.js"></script></body></html>'
    )
    finding = Finding(name="n", severity="warning", ok=True, n_unexpected=0, examples=(), advice="a")
    readable_offline(tmp_path, [finding])
    body = page.read_text().split("<body>")[1]
    assert body == '<p>words</p>more <a href="../index.html">home</a></body></html>'
    assert '<a href="expectations/some.html">some: expectations</a>' in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("name", ["a$HOME b", "${HOME}", "$NONE", "a\\$HOME", "$$HOME", "~ 100%d {HOME}"])
def test_docs_are_in_their_folder_whatever_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    folder = tmp_path / name / "docs"
    folder.mkdir(parents=True)
    judge({"stores": Suite(pd.DataFrame({"name": ["source"], "whole": [1]}), store_rules())}, folder)
    assert {each.name for each in tmp_path.iterdir()} == {name}
    assert len([*folder.glob("validations/stores/**/*.html")]) == 1
