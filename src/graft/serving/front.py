"""The layers between BentoML's own and its API, in plain ASGI.

BentoML fetches a URL if it finds text in place of a file. It answers some errors with a list, others with an object,
and some not at all. Here every upload becomes one image as the raw body, and every error becomes one JSON object
`{"error": "<sentence>"}`.
"""

import asyncio
import json
import logging

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graft.serving.door import BOUNDARY, REFUSED, replay
from graft.serving.forms import ADVICE, FIELD, Refused, image_of_form, shown

logger = logging.getLogger(__name__)

FAULT = "The service itself failed. Its log says why; other requests are not affected."
# Longest error message in characters.
MAX_SENTENCE = 1000
# BentoML's page at / includes a tag manager. With this policy a browser loads and runs only what the service serves.
PAGE_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


class ImageUpload:
    """Answers requests that `Door` refused, and passes on uploads with the image as the raw body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if REFUSED not in scope and BOUNDARY not in scope:
            return await self.app(scope, receive, send)
        try:
            image = await _image(scope, receive)
        except Refused as refusal:
            answer = JSONResponse({"error": str(refusal)}, refusal.status, refusal.headers)
            return await answer(scope, receive, send)
        return await self.app(_with_raw_body(scope, image), replay(image, receive), send)


class PlainErrors:
    """Turns every error into one JSON object, and sets the content security policy of pages.

    Exceptions end here too. The layer around this one, BentoML's timeout, would wait for an answer that never comes.
    """

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
                if start["status"] < 400:
                    await send(start)
            elif start["status"] < 400:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_error(start, b"".join(parts), send)

        try:
            await self.app(scope, receive, rewrite)
        except Exception:
            logger.exception("A request failed because of a fault of the service.")
            if start and start["status"] < 400:
                raise
            await JSONResponse({"error": FAULT}, 500)(scope, receive, send)


async def _image(scope: Scope, receive: Receive) -> bytes:
    if REFUSED in scope:
        raise scope[REFUSED]
    body: bytes = (await receive())["body"]
    boundary = scope[BOUNDARY]
    # in a thread, because a malicious form may take a second, during which liveness probes need an answer
    image = await asyncio.to_thread(image_of_form, boundary, body) if boundary and body else body
    if not image:
        raise Refused(400, f"{FIELD}: want an image file, got 0 bytes. {ADVICE}")
    return image


def _with_raw_body(scope: Scope, image: bytes) -> Scope:
    """The request with a neutral content type, by which BentoML chooses the parser of the body."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    headers["content-type"] = "application/octet-stream"
    headers["content-length"] = str(len(image))
    return {**scope, "headers": headers.raw}


async def _send_error(start: Message, body: bytes, send: Send) -> None:
    content = json.dumps({"error": _sentence(body)}, ensure_ascii=False).encode()
    headers = MutableHeaders(raw=start["headers"])
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(content))
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": content})


def _sentence(body: bytes) -> str:
    """The message in BentoML's list or object, or in Starlette's plain text."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return shown(text, MAX_SENTENCE)
    first = value[0] if isinstance(value, list) and value else value
    return shown(str(first.get("error", text)) if isinstance(first, dict) else text, MAX_SENTENCE)
