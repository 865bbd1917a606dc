"""Read the bodies of uploads, with limits on bytes, number and time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Receive

from graft.serving.forms import FIELD, Refused


@dataclass(frozen=True)
class Bounds:
    """Limits on uploads."""

    body_bytes: int
    """largest size of a body"""
    held_bytes: int
    """largest size of all bodies that are being read"""
    bodies: int
    """most bodies that are read at a time"""
    seconds: float
    """longest time for one body"""
    pause_s: float
    """longest time between two chunks; a graceful stop waits as long for a client that stalls"""
    drained_bytes: int
    """most bytes that are read and dropped after a refusal"""


class Gone(Exception):  # noqa: N818 - nobody is left to be told of an error
    """The client closed the connection before the body was complete."""


class Uploads:
    """Reads bodies. If a new one exceeds the limits, the oldest is ended, so that endless bodies block nobody."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        # oldest first
        self._held: dict[asyncio.Timeout, int] = {}

    async def read(self, headers: Headers, receive: Receive) -> bytes:
        """Read a complete body.

        Raises:
            Refused: the body is too large, encoded or too slow, or is the oldest while others wait.
            Gone: the client closed the connection.
        """
        self._check(headers)
        body = bytearray()
        more = True
        async with self._turn() as turn:
            while more:
                chunk, more = await self._next(receive)
                body += chunk
                # counted, because a chunked body declares no length
                if len(body) > self._bounds.body_bytes:
                    raise self._too_large()
                self._hold(turn, len(body))
        return bytes(body)

    async def drain(self, receive: Receive) -> None:
        """Read and drop what the client still sends.

        Closing a connection with unread bytes resets it, and the client may lose the answer.
        """
        left, more = self._bounds.drained_bytes, True
        with suppress(Refused, Gone):
            async with self._turn():
                while more and left > 0:
                    chunk, more = await self._next(receive)
                    left -= len(chunk)

    def _check(self, headers: Headers) -> None:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity":
            raise Refused(415, f"{FIELD}: want a plain body, got an encoded one. Send it without Content-Encoding.")
        if int(headers.get("content-length", 0)) > self._bounds.body_bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        limit = self._bounds.body_bytes
        return Refused(413, f"{FIELD}: want at most {limit:,} bytes, got more. Send a smaller image.")

    async def _next(self, receive: Receive) -> tuple[bytes, bool]:
        """The next chunk, and whether more chunks follow."""
        async with asyncio.timeout(self._bounds.pause_s):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        return message.get("body", b""), message.get("more_body", False)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[asyncio.Timeout]:
        try:
            async with asyncio.timeout(self._bounds.seconds) as turn:
                self._held[turn] = 0
                self._make_room()
                try:
                    yield turn
                finally:
                    self._held.pop(turn, None)
        except TimeoutError:
            bounds = f"{self._bounds.seconds:g} s, without a pause of {self._bounds.pause_s:g} s"
            raise Refused(
                408, f"{FIELD}: want a complete body in {bounds}, or less if others wait, got a part. Send it again."
            ) from None

    def _hold(self, turn: asyncio.Timeout, n_bytes: int) -> None:
        # an upload that was ended may receive a chunk before its timeout is raised
        if turn in self._held:
            self._held[turn] = n_bytes
            self._make_room()

    def _make_room(self) -> None:
        while len(self._held) > self._bounds.bodies or sum(self._held.values()) > self._bounds.held_bytes:
            oldest = next(iter(self._held))
            del self._held[oldest]
            if not oldest.expired():
                oldest.reschedule(0)
