"""Make Great Expectations' Data Docs readable offline: they load nothing from the network."""

import html
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from graft.records.validation import Finding

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem }
li, h5, td:last-child { overflow-wrap: anywhere }
hr, i { border: 0; font-style: normal }
h4, h5, h6 { margin: 1.5rem 0 .5rem; font-size: 1.1rem }
table { border-collapse: collapse; margin: .5rem 0; width: 100% }
th, td { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .3rem .6rem; text-align: left;
  vertical-align: top }
ul { padding-left: 1.2rem }
ul:has(h6) { list-style: none; padding: 0 }
ol.breadcrumb { list-style: none; padding: 0 }
.badge { font-family: ui-monospace, monospace }
.cooltip .top { font-size: .85rem; opacity: .75 }
.card-header, [data-toggle="collapse"], [data-toggle="buttons"], .card-text, input { display: none }
.fa-check-circle::before { content: "\\2713 holds" }
.fa-times::before { content: "\\2717 broken" }
.ge-section { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); margin-top: 1rem }
@media (max-width: 40rem) { th, td { padding: .2rem .3rem } }
"""
HEAD = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    f"<title>Data Docs</title><style>{STYLE}</style>"
)
# What loads something, or runs a script, or is replaced by HEAD.
DROPPED = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<footer\b.*?</footer>|<button\b.*?</button>|<title>.*?</title>"
    r"""|<(?:link|meta|img)\b[^>]*>|\s(?:on\w+|style)=(?:"[^"]*"|'[^']*')""",
    re.DOTALL | re.IGNORECASE,
)
ELSEWHERE = re.compile(r"""<a\b[^>]*href=["']https?:[^>]*>(.*?)</a>""", re.DOTALL | re.IGNORECASE)


def readable_offline(docs: Path, findings: Sequence[Finding]) -> None:
    """Remove everything that a page would load or run, add our own style, and write a new first page.

    Args:
        docs: folder that great_expectations built. It has numbers but no file names, which are in the findings.
        findings: the findings for the first page; Great Expectations' own first page needs a script.
    """
    # fonts and pictures that no page uses any more
    shutil.rmtree(docs / "static", ignore_errors=True)
    index = docs / "index.html"
    pages = [each for each in sorted(docs.rglob("*.html")) if each != index]
    for page in pages:
        text = ELSEWHERE.sub(r"\1", DROPPED.sub("", page.read_text(encoding="utf-8")))
        page.write_text(text.replace("<head>", f"<head>{HEAD}", 1), encoding="utf-8")
    index.write_text("\n".join(_first_page(docs, pages, findings)) + "\n", encoding="utf-8")


def _first_page(docs: Path, pages: Sequence[Path], findings: Sequence[Finding]) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en">\n<head>{HEAD}</head>\n<body>\n<h1>Checks of the data</h1>'
    yield "<table>\n<tr><th>Result</th><th>Fault</th><th>Where</th></tr>"
    for each in findings:
        result = "none" if each.ok else each.severity
        names = "".join(f"<li>{html.escape(name)}</li>" for name in each.examples)
        broken = "" if each.ok else f"{each.n_unexpected}. {html.escape(each.advice)}<ul>{names}</ul>"
        yield f"<tr><td>{result}</td><td>{html.escape(each.name)}</td><td>{broken}</td></tr>"
    yield "</table>\n<h2>Pages of Great Expectations</h2>\n<ul>"
    for page in pages:
        place = page.relative_to(docs)
        words = "results" if place.parts[0] == "validations" else "expectations"
        suite = Path(place.parts[1]).stem.replace("_", " ")
        yield f'<li><a href="{html.escape(place.as_posix())}">{html.escape(suite)}: {words}</a></li>'
    yield "</ul>\n</body>\n</html>"
