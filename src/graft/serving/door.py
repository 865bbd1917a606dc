"""What every request passes before BentoML counts, logs and times it, in plain ASGI.

BentoML takes a slot and starts the clock before the body has come, makes a label of its metrics of every path
that anybody asks for, and writes paths and headers to the log as they are. Here the body is read first, and
BentoML sees nothing of a stranger's text.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graft.serving.forms import ADVICE, Refused, boundary_of, shown
from graft.serving.uploads import Bounds, Gone, Uploads

REFUSED = "graft.refused"
"""key of the scope: a refusal, which goes through BentoML to be counted and logged, and is answered behind it"""
BOUNDARY = "graft.boundary"
"""key of the scope: of the multipart form in the body, or None where the body is the image"""
UNKNOWN = "/unknown"
"""stands for every path that the service does not have"""
OTHER = "OTHER"
"""stands for every method that the service does not have"""
DROPPED = ("content-type", "content-encoding", "transfer-encoding", "expect")
"""headers of a body as it was sent; BentoML logs the first and picks a parser by it"""


class Door:
    """Hands on known paths, bodies that are whole, and what may stand in a log; reads no body but an upload's."""

    def __init__(self, app: ASGIApp, paths: frozenset[str], upload_path: str, bounds: Bounds) -> None:
        self.app = app
        self.paths = paths
        self.upload_path = upload_path
        self.uploads = Uploads(bounds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            return await self._answer(scope, receive, send)
        if scope["type"] == "websocket":
            refusal = JSONResponse({"error": f"websocket: want POST {self.upload_path}. {ADVICE}"}, 404)
            return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        inside = self._without_strangers_text(scope)
        try:
            self._check(scope, headers)
            if scope["method"] == "POST":
                inside[BOUNDARY] = boundary_of(headers.get("content-type", ""))
                whole = replay(await self.uploads.read(headers, receive), receive)
                return await self.app(inside, whole, send)
        except Refused as refusal:
            inside[REFUSED] = refusal
        except Gone:
            return None
        if not _has_body(headers):
            return await self.app(inside, receive, send)
        return await self._answer_unread(inside, receive, send)

    def _without_strangers_text(self, scope: Scope) -> Scope:
        path = scope["path"] if scope["path"] in self.paths else UNKNOWN
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else OTHER
        headers = MutableHeaders(raw=list(scope["headers"]))
        for name in DROPPED:
            del headers[name]
        # by uvicorn, what X-Forwarded-For says
        client = scope.get("client") and (shown(scope["client"][0]), scope["client"][1])
        known = {"path": path, "raw_path": path.encode(), "method": method, "client": client}
        return {**scope, **known, "headers": headers.raw}

    def _check(self, scope: Scope, headers: Headers) -> None:
        method, path = scope["method"], scope["path"]
        if path not in self.paths:
            raise Refused(404, f"{shown(path)}: want POST {self.upload_path}. {ADVICE}")
        allowed = "POST" if path == self.upload_path else "GET, HEAD"
        if method not in allowed.split(", "):
            raise Refused(405, f"{path}: want {allowed}, got {shown(method)}. {ADVICE}", allowed)
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Refused(400, f"headers: want Content-Length or Transfer-Encoding, got both. {ADVICE}")

    async def _answer_unread(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, and close when the client has sent its body, or enough of it."""

        async def kept_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
                await send(message)
            else:
                await send({**message, "more_body": True})

        await self.app(scope, replay(b"", receive), kept_open)
        # who was too slow gets no more time
        if REFUSED not in scope or scope[REFUSED].status != 408:
            await self.uploads.drain(receive)
        await send({"type": "http.response.body", "body": b""})


def replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives this body once, then what the connection says."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
