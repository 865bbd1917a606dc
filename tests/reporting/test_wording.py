import pytest

from graft.reporting import wording


def test_differences_carry_their_sign_and_nothing_has_none() -> None:
    assert [wording.points(each) for each in (0.0621, -0.0621, -0.0001)] == ["+6.2", "−6.2", "0.0"]


def test_numbers_that_are_not_there_are_a_dash() -> None:
    assert wording.number(None) == "–"
    assert wording.number(-0.01234) == "−0.0123"


def test_large_numbers_are_written_out() -> None:
    assert [wording.number(each) for each in (999.0, 1234.5, -12345.6)] == ["999", "1234", "−12346"]
    assert wording.number(12345.6, 6) == "12345.6"


@pytest.mark.parametrize(("written", "short"), [("5.0%", "5%"), ("+10.0", "+10"), ("0.05", "0.05"), ("0.0", "0")])
def test_ticks_drop_an_idle_zero_only(written: str, short: str) -> None:
    assert wording.brief(written) == short


def test_long_names_end_in_an_ellipsis() -> None:
    assert wording.shortened("abcdef", 4) == "abc…"
    assert wording.shortened("abcd", 4) == "abcd"


def test_sentences_show_code_and_escape_the_rest() -> None:
    assert wording.prose("set `a.b` to <b>") == "set <code>a.b</code> to &lt;b&gt;"
    assert wording.prose("`<script>`") == "<code>&lt;script&gt;</code>"


def test_sentences_write_names_and_symbols_as_people_do_outside_of_code() -> None:
    said = wording.prose("MMD^2 says feature_extraction (p = 0.1); set `x=feature_extraction`")
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
    ],
)
def test_hostile_text_shows_as_it_is_written_in_markdown(hostile: str, safe: str) -> None:
    assert wording.markdown_safe(hostile) == safe
