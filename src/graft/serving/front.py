"""What every request passes before BentoML sees it, in plain ASGI.

BentoML fetches a URL where it finds text in place of a file, sets no limit to a body, and answers some
faults with a list and others with an object. Here any upload becomes one bounded image as the raw body,
and any refusal one JSON object `{"error": "<sentence>"}`.
"""

import json
from collections.abc import AsyncGenerator

from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIELD = "image"
ADVICE = f"Send the image file as the body, or as the one file in the multipart field `{FIELD}`."
# BentoML's page at / carries a tag manager; a browser loads and runs nothing that we do not serve.
PAGE_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


class Refused(Exception):  # noqa: N818 - a refusal is the answer, not a fault of the service
    """A request that gets its status and sentence at the door."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Gone(Exception):  # noqa: N818 - nobody is left to be told of an error
    """The client hung up before the body was whole."""


class ImageUpload:
    """Hands on a POST to one path with the image as its raw body; refuses every other POST."""

    def __init__(self, app: ASGIApp, path: str, limit_bytes: int) -> None:
        self.app = app
        self.path = path
        self.limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        try:
            if scope["path"] != self.path:
                raise Refused(404, f"{scope['path']}: want POST {self.path}. {ADVICE}")
            image = await self._image(Headers(scope=scope), receive)
        except Refused as refusal:
            answer = JSONResponse({"error": str(refusal)}, refusal.status)
            return await answer(scope, receive, send)
        except Gone:
            return None
        return await self.app(_with_raw_body(scope, image), _replay(image, receive), send)

    async def _image(self, headers: Headers, receive: Receive) -> bytes:
        body = await _bounded_body(headers, receive, self.limit_bytes)
        kind = headers.get("content-type", "")
        multipart = kind.split(";")[0].strip().lower() == "multipart/form-data"
        image = await _file_of_form(kind, body) if multipart and body else body
        if not image:
            raise Refused(400, f"{FIELD}: want an image file, got 0 bytes. {ADVICE}")
        return image


class PlainErrors:
    """Turns every 4xx body into one JSON object, and keeps pages to what the service itself serves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start: Message = {}
        parts: list[bytes] = []

        async def rewrite(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                MutableHeaders(scope=start)["content-security-policy"] = PAGE_POLICY
                if not 400 <= start["status"] < 500:
                    await send(start)
            elif not 400 <= start["status"] < 500:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_error(start, b"".join(parts), send)

        await self.app(scope, receive, rewrite)


async def _bounded_body(headers: Headers, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body; counted, for a chunked one declares no length and a declared one may lie."""
    too_large = Refused(413, f"{FIELD}: want at most {limit_bytes:,} bytes, got more. Send a smaller image.")
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


async def _file_of_form(content_type: str, body: bytes) -> bytes:
    """The one file of a multipart form."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(Headers({"content-type": content_type}), stream()).parse()
    except MultiPartException as error:
        raise Refused(400, f"body: want a multipart form, got: {error.message} {ADVICE}") from error
    try:
        fields = form.multi_items()
        names = ", ".join(f"`{name}`" for name, _ in fields) or "none"
        if [name for name, _ in fields] != [FIELD]:
            raise Refused(400, f"body: want the one field `{FIELD}`, got {names}. {ADVICE}")
        upload = fields[0][1]
        if not isinstance(upload, UploadFile):
            raise Refused(400, f"{FIELD}: want a file, got text. {ADVICE}")
        return await upload.read()
    finally:
        await form.close()


def _with_raw_body(scope: Scope, image: bytes) -> Scope:
    """The request with a neutral content type, for BentoML picks the parser of the body by it."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    headers["content-type"] = "application/octet-stream"
    headers["content-length"] = str(len(image))
    return {**scope, "headers": headers.raw}


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives this body once, then what the connection says."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed


async def _send_error(start: Message, body: bytes, send: Send) -> None:
    content = json.dumps({"error": _sentence(body)}, ensure_ascii=False).encode()
    headers = MutableHeaders(raw=start["headers"])
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(content))
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": content})


def _sentence(body: bytes) -> str:
    """The sentence in BentoML's list or object, or the plain text that Starlette answers."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    first = value[0] if isinstance(value, list) and value else value
    return str(first.get("error", text)) if isinstance(first, dict) else text
