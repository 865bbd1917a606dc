"""Attacks over a socket on the service, run by BentoML's own worker."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

LIMIT_BYTES = 10 * 2**20
WAIT_S = 120
CLOSE = b"Connection: close\r\n"


class Server(NamedTuple):
    """A running worker."""

    port: int
    log: Path

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def raw(self, request: bytes) -> bytes:
        """The complete answer to these bytes, read only after all are sent."""
        with self.connected() as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(2**16), b""))

    def ask(self, line: str, headers: bytes = CLOSE, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer."""
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        answer = self.raw(f"{line} HTTP/1.1\r\nHost: x\r\n".encode() + headers + length + b"\r\n" + body)
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), content

    def refusal(self, line: str, headers: bytes = CLOSE, body: bytes = b"") -> tuple[int, str]:
        status, content = self.ask(line, headers, body)
        answer = json.loads(content)
        assert list(answer) == ["error"]
        return status, answer["error"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "metrics").mkdir()
    environment = {
        **os.environ,
        "GRAFT_MODEL": str(model_folder),
        "BENTOML_HOME": str(folder / "bento"),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    with socket.create_server(("127.0.0.1", 0)) as listening, (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "_bentoml_impl.worker.service", "graft.serving.service:Classifier"]
        descriptor = listening.fileno()
        worker = subprocess.Popen(
            [*command, "--fd", str(descriptor), "--worker-id", "1"],
            pass_fds=[descriptor],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        started = Server(listening.getsockname()[1], folder / "log")
    try:
        # the socket listens already, so the first answer comes when the worker is ready
        assert started.ask("GET /readyz")[0] == 200, started.log.read_text()
        yield started
    finally:
        worker.terminate()
        worker.wait(timeout=WAIT_S)


def logged(server: Server, mark: str) -> str:
    """The log, as soon as it contains the mark."""
    for _ in range(WAIT_S * 10):
        if mark in (log := server.log.read_text(errors="surrogateescape")):
            return log
        time.sleep(0.1)
    raise AssertionError(log)


def form(kind: bytes, name: str = "image") -> bytes:
    return (
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode() + kind + b"\r\n--x--\r\n"
    )


@pytest.mark.parametrize("charset", [b"punycode", b"undefined", b"idna"])
def test_unknown_charset_gets_an_answer(server: Server, charset: bytes, red: bytes) -> None:
    headers = CLOSE + b"Content-Type: multipart/form-data; boundary=x; charset=" + charset + b"\r\n"

    status, sentence = server.refusal("POST /predict", headers, form(red, "é"))

    assert (status, sentence.split(". ")[0]) == (400, "body: want the one field `image`, got `é`")
    assert server.ask("POST /predict", headers, form(red))[0] == 200


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("close", [CLOSE, b""])
def test_413_reaches_a_client_that_sends_everything_before_it_reads(server: Server, close: bytes) -> None:
    want = (413, "image: want at most 10,485,760 bytes, got more. Send a smaller image.")

    assert server.refusal("POST /predict", close, b"x" * 6 * LIMIT_BYTES) == want
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + close + b"\r\n"
    answer = server.raw(head + chunked(b"x" * 6 * LIMIT_BYTES))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert want[1].encode() in answer


@pytest.mark.parametrize(("line", "status"), [("POST /elsewhere", 404), ("PUT /predict", 405), ("GET /docs.json", 200)])
def test_answer_reaches_a_client_whose_body_is_not_read(server: Server, line: str, status: int) -> None:
    assert server.ask(line, body=b"x" * 6 * LIMIT_BYTES)[0] == status


def test_incomplete_bodies_do_not_block_others(server: Server, red: bytes) -> None:
    waiting = [server.connected() for _ in range(40)]
    for client in waiting:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")

    answers = [server.ask("POST /predict", body=red)[0] for _ in range(3)]

    for client in waiting:
        client.close()
    assert answers == [200, 200, 200]


def test_body_that_arrives_byte_by_byte_is_read(server: Server, red: bytes) -> None:
    with server.connected() as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n" % (CLOSE, len(red)))
        for byte in red:
            client.sendall(bytes([byte]))
        assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")


def upgrade(path: str) -> bytes:
    fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode() + fields + b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


def test_unknown_paths_share_one_label_in_the_metrics(server: Server) -> None:
    for number in range(20):
        assert server.refusal(f"GET /no-{number}-such")[0] == 404
        assert server.refusal(f"POST /no-{number}-such")[0] == 404
        assert server.refusal(f"GET /static_content/no-{number}-such")[0] == 404
        assert server.raw(upgrade(f"/no-{number}-such")).startswith(b"HTTP/1.1 404 ")

    status, metrics = server.ask("GET /metrics")

    assert status == 200
    assert b"-such" not in metrics
    assert b'endpoint="/unknown"' in metrics


def test_path_content_type_and_address_cannot_forge_a_line_of_the_log(server: Server, red: bytes) -> None:
    server.ask("GET /%0aFORGED%1b[31m")
    server.ask("POST /predict", CLOSE + b"Content-Type: image/\x1b[31mFORGED\x02\r\n", red)
    assert server.ask("POST /predict", CLOSE + b"Content-Type: image/\xffFORGED\r\n", red)[0] == 200
    server.ask("GET /docs.json", CLOSE + b"X-Forwarded-For: \x1b[31m9.9.9.9\r\n")
    server.ask("GET /static_content/index.css")

    log = logged(server, "path=/static_content/index.css")
    assert "FORGED" not in log
    assert "\x1b" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/livez", "/healthz", "/readyz", "/metrics"])
def test_bentomls_own_pages_are_still_served(server: Server, path: str) -> None:
    assert server.ask(f"GET {path}")[0] == 200
    assert server.ask(f"HEAD {path}") == (200, b"")


def test_encoded_body_gets_415(server: Server, red: bytes) -> None:
    assert server.refusal("POST /predict", CLOSE + b"Content-Encoding: gzip\r\n", red)[0] == 415


def test_client_that_expects_100_continue_gets_it_only_for_a_body_that_will_be_read(server: Server, red: bytes) -> None:
    for length, want in ((len(red), b"HTTP/1.1 100 "), (LIMIT_BYTES + 1, b"HTTP/1.1 413 ")):
        with server.connected() as client:
            head = b"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            client.sendall(head % length)
            assert client.recv(2**16).startswith(want)


def test_requests_in_one_packet_are_answered_one_by_one(server: Server, red: bytes) -> None:
    post = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(red), red)

    answers = server.raw(post * 3 + b"GET /livez HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n")

    assert answers.count(b"HTTP/1.1 200 ") == 4


@pytest.mark.parametrize(
    "headers", [b"Content-Length: 3\r\nContent-Length: 4\r\n", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"]
)
def test_body_with_two_lengths_is_refused(server: Server, headers: bytes) -> None:
    answer = server.raw(b"POST /predict HTTP/1.1\r\nHost: x\r\n" + CLOSE + headers + b"\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_many_long_or_odd_headers_are_handled(server: Server) -> None:
    many = b"".join(b"h%d: \xff\x1b\r\n" % number for number in range(2000))

    assert server.ask("GET /docs.json", CLOSE + many)[0] == 200
    assert server.ask("GET /livez", CLOSE + b"h: " + b"x" * 10_000 + b"\r\n")[0] == 200
    assert server.ask("GET /livez")[0] == 200
