"""The outermost layer of the service, in plain ASGI: what happens before BentoML counts, logs and times a request.

BentoML takes a slot and starts its timeout before the body has arrived. It uses every requested path as a label of its
metrics, and logs paths and headers as they are. Here the body is read first, and no text of the client reaches BentoML.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graft.serving.forms import ADVICE, Refused, boundary_of, shown
from graft.serving.uploads import Bounds, Gone, Uploads

# Key of the ASGI scope for a refusal. It passes through BentoML, to be counted and logged, and ImageUpload answers it.
REFUSED = "graft.refused"
# Key of the ASGI scope for the boundary of the multipart form in the body; None if the body is the image.
BOUNDARY = "graft.boundary"
# Replaces every path that the service does not have.
UNKNOWN = "/unknown"
# Replaces every method that the service does not have.
OTHER = "OTHER"
# Headers that describe the body as it was sent. BentoML logs the content type and chooses a parser by it.
DROPPED = ("content-type", "content-encoding", "transfer-encoding", "expect")


class Door:
    """Passes on only known paths, complete bodies, and text that is safe in a log. Reads no bodies but uploads."""

    def __init__(self, app: ASGIApp, paths: frozenset[str], upload_path: str, bounds: Bounds) -> None:
        self.app = app
        self.paths = paths
        self.upload_path = upload_path
        self.uploads = Uploads(bounds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
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
        # uvicorn takes it from X-Forwarded-For, which a client can forge
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
        """Answer at once, but close the connection only when the client has sent its body, or enough of it."""

        async def kept_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
                await send(message)
            else:
                await send({**message, "more_body": True})

        await self.app(scope, replay(b"", receive), kept_open)
        # a client that was too slow gets no more time
        if REFUSED not in scope or scope[REFUSED].status != 408:
            await self.uploads.drain(receive)
        await send({"type": "http.response.body", "body": b""})


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns this body once, and then the messages of the connection."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
