import asyncio
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from graft.serving.door import BOUNDARY, REFUSED, UNKNOWN, Door
from graft.serving.uploads import Bounds

BOUNDS = Bounds(body_bytes=10, held_bytes=20, bodies=3, seconds=0.05, pause_s=60, drained_bytes=100)
CLIENT = ("\x1b[31m9.9.9.9\n", 0)
"""an address as it may be in the header X-Forwarded-For"""
Headers = list[tuple[bytes, bytes]]


class Inside:
    """The app inside the door, which keeps what it receives."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.bodies.append((await receive())["body"] if BOUNDARY in scope else b"")
        status = scope[REFUSED].status if REFUSED in scope else 200
        await JSONResponse({}, status)(scope, receive, send)


def ask(
    method: str, path: str, headers: Headers | None = None, chunks: tuple[bytes, ...] = (b"",), end: bool = True
) -> tuple[Inside, list[Message], list[bytes]]:
    """Send a request through a door; returns what the app received, the answer, and the chunks left unread."""
    inside, answered, left = Inside(), list[Message](), list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left) or not end}

    async def send(message: Message) -> None:
        answered.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": headers or [], "client": CLIENT}
    door = Door(inside, frozenset({"/", "/predict", "/livez"}), "/predict", BOUNDS)
    asyncio.run(door(scope, receive, send))
    return inside, answered, left


def status_of(inside: Inside) -> int | None:
    refused = inside.scopes[0].get(REFUSED)
    return None if refused is None else refused.status


def test_app_is_not_called_before_the_body_is_complete() -> None:
    inside, answered, _ = ask("POST", "/predict", chunks=(b"ab", b"cd"))

    assert inside.bodies == [b"abcd"]
    assert answered[0]["status"] == 200


def test_slow_upload_reaches_the_app_only_as_a_refusal() -> None:
    inside, answered, _ = ask("POST", "/predict", [(b"content-length", b"9")], chunks=(b"ab",), end=False)

    assert (status_of(inside), inside.bodies) == (408, [b""])
    assert answered[0]["status"] == 408
    assert (b"connection", b"close") in answered[0]["headers"]


@pytest.mark.parametrize("path", ["/a", "/predict/", "/predict\n", "/livezx", "/\x1b[31m", "http://elsewhere/predict"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths_reach_the_app_as_one_path(method: str, path: str) -> None:
    inside, _, _ = ask(method, path)

    assert (inside.scopes[0]["path"], inside.scopes[0]["raw_path"]) == (UNKNOWN, UNKNOWN.encode())
    assert status_of(inside) == 404
    assert str(inside.scopes[0][REFUSED]).isprintable()


@pytest.mark.parametrize("path", ["/", "/predict", "/livez"])
def test_known_paths_are_passed_on_unchanged(path: str) -> None:
    inside, _, _ = ask("POST" if path == "/predict" else "GET", path)

    assert (inside.scopes[0]["path"], status_of(inside)) == (path, None)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/predict", "POST"),
        ("OPTIONS", "/predict", "POST"),
        ("FOO", "/predict", "POST"),
        ("POST", "/livez", "GET, HEAD"),
    ],
)
def test_wrong_method_is_refused_with_the_allowed_ones(method: str, path: str, allow: str) -> None:
    inside, _, _ = ask(method, path)
    refused = inside.scopes[0][REFUSED]

    assert (refused.status, refused.headers) == (405, {"allow": allow})
    assert str(refused).startswith(f"{path}: want {allow}, got {method}. ")
    assert inside.scopes[0]["method"] in ("GET", "HEAD", "POST", "OTHER")


def test_content_type_of_a_client_does_not_reach_the_app() -> None:
    kind = b"multipart/form-data; boundary=x; a=\x1b[31m\xff"
    inside, _, _ = ask("POST", "/predict", [(b"content-type", kind), (b"content-type", b"image/\xff"), (b"a", b"b")])

    assert inside.scopes[0]["headers"] == [(b"a", b"b")]
    assert inside.scopes[0][BOUNDARY] == "x"


def test_forged_address_does_not_reach_the_app() -> None:
    inside, _, _ = ask("GET", "/")

    assert inside.scopes[0]["client"] == ("\ufffd[31m9.9.9.9\ufffd", 0)


def test_two_lengths_of_one_body_are_refused() -> None:
    inside, _, _ = ask("POST", "/predict", [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], (b"a",))

    assert status_of(inside) == 400


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/predict", 413), ("POST", "/a", 404), ("GET", "/", 200)]
)
def test_answer_is_sent_then_the_unread_body_is_drained_then_the_connection_closes(
    method: str, path: str, status: int
) -> None:
    _, answered, left = ask(method, path, [(b"content-length", b"60")], chunks=(b"a" * 30, b"b" * 30))

    assert left == []
    assert [each.get("more_body", False) for each in answered] == [False, True, False]
    assert (answered[0]["status"], answered[-1]["body"]) == (status, b"")
    assert (b"connection", b"close") in answered[0]["headers"]


def test_draining_is_bounded() -> None:
    _, answered, left = ask("POST", "/a", [(b"transfer-encoding", b"chunked")], chunks=(b"a" * 30,) * 10)

    assert len(left) == 6
    assert answered[-1] == {"type": "http.response.body", "body": b""}


def test_client_that_disconnects_does_not_reach_the_app() -> None:
    inside = Inside()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    door = Door(inside, frozenset({"/predict"}), "/predict", BOUNDS)
    asyncio.run(door({"type": "http", "method": "POST", "path": "/predict", "headers": []}, receive, send))

    assert inside.scopes == []
