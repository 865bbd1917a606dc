import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from graft.serving.forms import Refused
from graft.serving.uploads import Bounds, Gone, Uploads

BOUNDS = Bounds(body_bytes=10, held_bytes=20, bodies=3, seconds=60, pause_s=60, drained_bytes=100)
NONE = Headers({})


def sending(*chunks: bytes, end: bool = True) -> Receive:
    """A client that sends these chunks; unless `end` is set, the body is never finished."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left) or not end}

    return receive


async def hung_up() -> Message:
    return {"type": "http.disconnect"}


async def _several(*coroutines: Coroutine[Any, Any, bytes]) -> list[bytes | BaseException]:
    """Results or exceptions of coroutines that start one after the other; endless ones are cancelled."""
    tasks = []
    for each in coroutines:
        tasks.append(asyncio.ensure_future(each))
        for _ in range(20):
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_body_is_read_completely() -> None:
    assert asyncio.run(Uploads(BOUNDS).read(NONE, sending(b"ab", b"", b"cd"))) == b"abcd"


def test_body_at_the_limit_is_read_and_one_above_refused() -> None:
    assert asyncio.run(Uploads(BOUNDS).read(NONE, sending(b"12345", b"67890"))) == b"1234567890"
    with pytest.raises(Refused) as refused:
        asyncio.run(Uploads(BOUNDS).read(NONE, sending(b"12345", b"678901", end=False)))
    assert refused.value.status == 413


def test_declared_length_above_the_limit_is_refused_before_the_body_is_read() -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(Uploads(BOUNDS).read(Headers({"content-length": "11"}), sending(end=False)))
    assert refused.value.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", ""])
def test_encoded_body_is_refused(encoding: str) -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(Uploads(BOUNDS).read(Headers({"content-encoding": encoding}), sending(b"a")))
    assert refused.value.status == 415


def test_client_that_disconnects_gets_no_answer() -> None:
    with pytest.raises(Gone):
        asyncio.run(Uploads(BOUNDS).read(NONE, hung_up))


@pytest.mark.parametrize("bounds", [replace(BOUNDS, seconds=0.01), replace(BOUNDS, pause_s=0.01)])
def test_body_that_never_ends_is_refused_after_its_time(bounds: Bounds) -> None:
    uploads = Uploads(bounds)

    with pytest.raises(
        Refused, match=r"^image: want a complete body in .*0\.01 s.*, got a part\. Send it again"
    ) as refused:
        asyncio.run(uploads.read(NONE, sending(b"a", end=False)))
    assert refused.value.status == 408


def test_new_body_ends_the_oldest_of_too_many_and_is_read() -> None:
    uploads = Uploads(BOUNDS)
    half_sent = [uploads.read(NONE, sending(b"a", end=False)) for _ in range(5)]

    *ended, whole = asyncio.run(_several(*half_sent, uploads.read(NONE, sending(b"ab"))))

    assert whole == b"ab"
    assert [getattr(each, "status", None) for each in ended] == [408, 408, 408, None, None]


def test_new_body_ends_the_oldest_if_they_hold_too_many_bytes() -> None:
    uploads = Uploads(BOUNDS)
    large, small = (uploads.read(NONE, sending(b"a" * size, end=False)) for size in (10, 3))

    first, second, whole = asyncio.run(_several(large, small, uploads.read(NONE, sending(b"1234567890"))))

    assert whole == b"1234567890"
    assert isinstance(first, Refused)
    assert isinstance(second, asyncio.CancelledError)


def test_finished_bodies_no_longer_count() -> None:
    async def many() -> None:
        uploads = Uploads(replace(BOUNDS, held_bytes=10, bodies=1))
        for _ in range(5):
            assert await uploads.read(NONE, sending(b"1234567890")) == b"1234567890"
            with pytest.raises(Gone):
                await uploads.read(NONE, hung_up)
            with pytest.raises(Refused):
                await uploads.read(NONE, sending(b"12345678901"))

    asyncio.run(many())


def test_the_rest_of_a_body_is_drained() -> None:
    left = [b"a" * 30, b"b" * 30, b"c" * 30]

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    asyncio.run(Uploads(BOUNDS).drain(receive))

    assert left == []


def test_draining_ends_at_its_limits_or_with_the_client() -> None:
    read: list[int] = []

    async def endless() -> Message:
        read.append(30)
        return {"type": "http.request", "body": b"a" * 30, "more_body": True}

    asyncio.run(Uploads(BOUNDS).drain(endless))
    assert sum(read) == 120
    asyncio.run(Uploads(replace(BOUNDS, seconds=0.01)).drain(sending(end=False)))
    asyncio.run(Uploads(BOUNDS).drain(hung_up))
