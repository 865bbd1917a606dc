import pytest

from graft.serving.forms import MAX_FIELDS, Refused, boundary_of, image_of_form, shown

IMAGE = b"\x89PNG\r\n--not the boundary\r\n"


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form of parts, each with a Content-Disposition and content."""
    texts = [f"--x\r\nContent-Disposition: {each}\r\n\r\n".encode() + content + b"\r\n" for each, content in parts]
    return b"".join(texts) + b"--x--\r\n"


def sentence(body: bytes) -> str:
    with pytest.raises(Refused) as refused:
        image_of_form("x", body)
    assert refused.value.status == 400
    return str(refused.value)


@pytest.mark.parametrize(
    "filename",
    [
        'filename="a.png"',
        "filename*=UTF-8''a%20b.png",
        "filename*0*=undefined''a; filename*1=b",
        "filename*=punycode''%ff",
        'FILENAME=""',
    ],
)
def test_part_with_a_filename_in_any_notation_is_a_file(filename: str) -> None:
    assert image_of_form("x", form((f'form-data; name="image"; {filename}', IMAGE))) == IMAGE


def test_part_without_a_filename_is_text() -> None:
    assert sentence(form(('form-data; name="image"', IMAGE))).startswith("image: want a file, got text. ")


@pytest.mark.parametrize("charset", ["punycode", "undefined", "idna", "hex", "utf-16", "none"])
def test_only_the_boundary_of_the_content_type_is_read(charset: str) -> None:
    assert boundary_of(f"multipart/form-data; charset={charset}; boundary=x") == "x"


@pytest.mark.parametrize("kind", ["", "image/png", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"])
def test_another_content_type_is_not_a_form(kind: str) -> None:
    assert boundary_of(kind) is None


@pytest.mark.parametrize(
    "parameter", ["", "boundary", 'boundary=""', "boundary=" + "x" * 71, "boundary=\xff", "boundary*=punycode''%ff"]
)
def test_missing_or_invalid_boundary_is_refused(parameter: str) -> None:
    with pytest.raises(Refused, match=r"^body: want a multipart form, got: no boundary of 1 to 70 characters\."):
        boundary_of(f"multipart/form-data; {parameter}")


def test_long_content_type_is_refused() -> None:
    with pytest.raises(Refused, match=r"^content-type: want at most 1000 characters, got 60019\."):
        boundary_of("multipart/form-data" + ";" * 60_000)


@pytest.mark.parametrize("name", ["é", "\udcff", "\N{GRINNING FACE}"])
def test_error_repeats_a_name_outside_ascii(name: str) -> None:
    part = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\na\r\n--x--\r\n'

    assert sentence(part.encode("utf-8", "surrogateescape")).startswith("body: want the one field `image`, got `")


@pytest.mark.parametrize("body", [b"", b"\r\n", b"--x", b"--x\r\n\r\n", form(("form-data", b"a"))[:-8], b"--y--\r\n"])
def test_form_without_its_end_is_refused(body: bytes) -> None:
    assert sentence(body).startswith("body: want a multipart form, got: ")


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\n" * 100_000,
        b"--x\r\n\r\n" * 100_000,
        b"--x\r\n" + b"a: b\r\n" * 100_000,
        b"--x\r\na: " + b"b" * 100_000,
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100_000,
    ],
)
def test_parsing_stops_early_in_a_form_of_endless_parts_or_headers(body: bytes) -> None:
    assert sentence(body).startswith(
        ("body: want a multipart form, got: ", "body: want the one field `image`, got more")
    )


def test_number_of_fields_is_bounded() -> None:
    part = ('form-data; name="a"', b"")

    assert f"got {', '.join(['`a`'] * MAX_FIELDS)}. " in sentence(form(*[part] * MAX_FIELDS))
    assert f"got more than {MAX_FIELDS}. " in sentence(form(*[part] * (MAX_FIELDS + 1)))


def test_name_in_an_error_is_short_and_has_no_control_characters() -> None:
    name = "n\x1b[31m\x9b" * 500
    said = sentence(form((f'form-data; name="{name}"', b"")))

    assert said.isprintable()
    assert len(said) < 300


def test_shown_text_keeps_printable_characters() -> None:
    assert shown("/größe x") == "/größe x"
    assert shown("a\r\nb\u202ec") == "a\ufffd\ufffdb\ufffdc"
    assert shown("a" * 200) == "a" * 80 + "..."
