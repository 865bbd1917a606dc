"""Read the one image of a multipart form, and refuse other uploads."""

import re
from email.message import Message
from typing import TYPE_CHECKING

from python_multipart.multipart import MultipartParser

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "image"
ADVICE = f"Send the image file as the body, or as the one file in the multipart field `{FIELD}`."
# Fields that are read before a form is refused.
MAX_FIELDS = 10
# The boundary of RFC 2046, without the space.
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
# Longest Content-Type in characters; the standard library's parser takes quadratic time.
MAX_TYPE = 1000
# Characters of a name that an error message repeats.
SHOWN = 80


class Refused(Exception):  # noqa: N818 - a refusal is the answer, not a fault of the service
    """A request that is refused with a status and a message.

    Args:
        status: HTTP status.
        sentence: the message.
        allow: allowed methods for the header of a 405.
    """

    def __init__(self, status: int, sentence: str, allow: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {} if allow is None else {"allow": allow}


def shown(text: str, limit: int = SHOWN) -> str:
    """Text of a client as a message may repeat it: short, and without characters that control a terminal."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in cut)


def boundary_of(content_type: str) -> str | None:
    """The boundary of a multipart form from its Content-Type; None if the body is not a form.

    Raises:
        Refused: the boundary of a form is missing or invalid, or the header is longer than MAX_TYPE.
    """
    if len(content_type) > MAX_TYPE:
        raise Refused(400, f"content-type: want at most {MAX_TYPE} characters, got {len(content_type)}. {ADVICE}")
    header = Message()
    header["content-type"] = content_type.encode("ascii", "backslashreplace").decode()
    if header.get_content_type() != "multipart/form-data":
        return None
    boundary = dict(header.get_params([])).get("boundary")
    if not isinstance(boundary, str) or not BOUNDARY.fullmatch(boundary):
        raise Refused(400, f"body: want a multipart form, got: no boundary of 1 to 70 characters. {ADVICE}")
    return boundary


def image_of_form(boundary: str, body: bytes) -> bytes:
    """Content of the one file in a multipart form.

    Raises:
        Refused: the form is incomplete, or is not exactly one file in FIELD.
    """
    form = _Form()
    try:
        MultipartParser(boundary, form.callbacks()).write(body)
    except Refused:
        raise
    except Exception as error:
        # a client's bytes may make the parser raise exceptions of any type
        reason = shown(str(error).rstrip(".")) or type(error).__name__
        raise Refused(400, f"body: want a multipart form, got: {reason}. {ADVICE}") from error
    if not form.whole:
        raise Refused(400, f"body: want a multipart form, got: no last boundary. {ADVICE}")
    if form.names != [FIELD]:
        names = ", ".join(f"`{shown(name)}`" for name in form.names) or "none"
        raise Refused(400, f"body: want the one field `{FIELD}`, got {names}. {ADVICE}")
    if not form.is_file:
        raise Refused(400, f"{FIELD}: want a file, got text. {ADVICE}")
    return bytes(form.content)


class _Form:
    """The names of a form's fields and the content of the last one, collected by the parser's callbacks."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.is_file = False
        self.content = bytearray()
        self.whole = False
        self._name = bytearray()
        self._value = bytearray()
        self._disposition = ""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._disposition = ""
        self.content.clear()
        if len(self.names) == MAX_FIELDS:
            raise Refused(400, f"body: want the one field `{FIELD}`, got more than {MAX_FIELDS}. {ADVICE}")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value.decode("utf-8", "replace")
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        header = Message()
        header["content-disposition"] = self._disposition
        params = dict(header.get_params([], "content-disposition"))
        name = params.get("name", "")
        self.names.append(name if isinstance(name, str) else name[-1])
        # get_params lists `filename*` under `filename`; neither its value nor its charset is used
        self.is_file = "filename" in params

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self.content += data[start:end]

    def _end(self) -> None:
        self.whole = True
