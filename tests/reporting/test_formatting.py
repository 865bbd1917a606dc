import pytest

from graft.reporting import formatting


def test_differences_have_a_sign_and_zero_has_none() -> None:
    assert [formatting.points(each) for each in (0.0621, -0.0621, -0.0001)] == ["+6.2", "−6.2", "0.0"]


def test_missing_numbers_are_written_as_a_dash() -> None:
    assert formatting.number(None) == "–"
    assert formatting.number(-0.01234) == "−0.0123"


def test_large_numbers_are_written_out() -> None:
    assert [formatting.number(each) for each in (999.0, 1234.5, -12345.6)] == ["999", "1234", "−12346"]
    assert formatting.number(12345.6, 6) == "12345.6"


@pytest.mark.parametrize(("written", "short"), [("5.0%", "5%"), ("+10.0", "+10"), ("0.05", "0.05"), ("0.0", "0")])
def test_ticks_drop_only_a_trailing_zero(written: str, short: str) -> None:
    assert formatting.brief(written) == short


def test_long_names_end_in_an_ellipsis() -> None:
    assert formatting.shortened("abcdef", 4) == "abc…"
    assert formatting.shortened("abcd", 4) == "abcd"


def test_sentences_show_code_and_escape_the_rest() -> None:
    assert formatting.prose("set `a.b` to <b>") == "set <code>a.b</code> to &lt;b&gt;"
    assert formatting.prose("`<script>`") == "<code>&lt;script&gt;</code>"
    assert formatting.prose("a\u202eb `\x1b`") == r"a\u202eb <code>\x1b</code>"


def test_outside_of_code_names_and_symbols_are_written_as_in_print() -> None:
    said = formatting.prose("MMD^2 says feature_extraction (p = 0.1); set `x=feature_extraction`")
    assert said == "MMD² says feature extraction (p\u00a0=\u00a00.1); set <code>x=feature_extraction</code>"


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a|b", r"a\|b"),
        ("`a|b`", r"`a\|b`"),
        ("[x](y)", r"\[x\](y)"),
        ("*a* _b_", r"\*a\* \_b\_"),
        ("one\n# two", "one # two"),
        ("@everyone #12", "@\u200beveryone #\u200b12"),
        ("a ` b", r"a \` b"),
        ("back\\`tick`", r"back\\`tick`"),
        ("$x$ and $`x`$", "&#36;\u200bx&#36; and &#36;`x`&#36;"),
        ("![x](y)", r"!\[x\](y)"),
        ("http://a.b www.a.b", "http:\u200b//a.b www\u200b.a.b"),
        ("a@b.c GH-12 !3 ~4 %5 &6", "a@\u200bb.c GH-\u200b12 !\u200b3 \\~\u200b4 %\u200b5 &amp;\u200b6"),
        (":skull: 10:30", ":\u200bskull: 10:30"),
        ("/close", r"\/close"),
        ("- a", r"\- a"),
        ("--- | :--", r"\--- \| :--"),
        ("12. a", r"12\. a"),
        ("a\x1b[1m\u202eb", r"a\\x1b\[1m\\u202eb"),
        ("`\x1b`", r"`\x1b`"),
        ("+6.2 or -0.5: 95% of 12.5, MMD^2 p = 0.1; a: b", "+6.2 or -0.5: 95% of 12.5, MMD^2 p = 0.1; a: b"),
    ],
)
def test_hostile_text_is_displayed_literally_in_markdown(hostile: str, safe: str) -> None:
    assert formatting.markdown_safe(hostile) == safe
