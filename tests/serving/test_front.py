import asyncio
import io
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graft.serving.door import BOUNDARY
from graft.serving.front import ImageUpload, PlainErrors

if TYPE_CHECKING:
    from starlette.testclient import TestClient

LIMIT_BYTES = 10 * 2**20
ADVICE = "Send the image file as the body, or as the one file in the multipart field `image`."
FORM = {"content-type": "multipart/form-data; boundary=x"}
_file = io.BytesIO()
Image.new("RGB", (8, 8), (200, 10, 10)).save(_file, format="PNG")
RED = _file.getvalue()


def refusal(response: Any) -> tuple[int, str]:
    """Status and message of an answer that is one object with one key."""
    answer = response.json()
    assert list(answer) == ["error"], answer
    return response.status_code, answer["error"]


@pytest.fixture
def visits() -> Iterator[tuple[str, list[str]]]:
    """The address of a local server, and the paths that were requested from it."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(RED)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/image.png", paths
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",  # as curl --data-binary sends it
        "image/png",
        "application/octet-stream",
        "application/json",
        "application/vnd.bentoml+pickle",
        "",
    ],
)
def test_raw_body_of_any_content_type_is_the_image(client: "TestClient", kind: str) -> None:
    response = client.post("/predict", content=RED, headers={"content-type": kind})

    assert (response.status_code, response.json()["label"]) == (200, "red")


def test_raw_and_multipart_uploads_get_equal_answers(client: "TestClient") -> None:
    raw = client.post("/predict", content=RED)
    form = client.post("/predict", files={"image": RED})

    assert raw.json() == form.json()


def test_chunked_body_is_accepted(client: "TestClient") -> None:
    response = client.post("/predict", content=iter([RED[:20], RED[20:]]))

    assert (response.status_code, response.json()["label"]) == (200, "red")


def test_wrong_field_is_named(client: "TestClient") -> None:
    assert refusal(client.post("/predict", files={"file": RED})) == (
        400,
        f"body: want the one field `image`, got `file`. {ADVICE}",
    )


@pytest.mark.parametrize(
    ("files", "got"),
    [
        ([("image", RED), ("image", RED)], "`image`, `image`"),
        ([("image", RED), ("note", RED)], "`image`, `note`"),
    ],
)
def test_more_than_one_field_is_refused(client: "TestClient", files: Any, got: str) -> None:
    assert refusal(client.post("/predict", files=files)) == (
        400,
        f"body: want the one field `image`, got {got}. {ADVICE}",
    )


def test_form_without_any_field_is_refused(client: "TestClient") -> None:
    response = client.post("/predict", content=b"--x--\r\n", headers=FORM)

    assert refusal(response) == (400, f"body: want the one field `image`, got none. {ADVICE}")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=y", "Multipart/Form-Data;x"])
def test_broken_form_is_refused(client: "TestClient", kind: str) -> None:
    status, sentence = refusal(client.post("/predict", content=RED, headers={"content-type": kind}))

    assert status == 400
    assert sentence.startswith("body: want a multipart form, got: ")


def test_text_in_place_of_a_file_is_refused_and_no_url_is_fetched(
    client: "TestClient", visits: tuple[str, list[str]]
) -> None:
    url, paths = visits
    response = client.post("/predict", files={"image": (None, url)})

    assert refusal(response) == (400, f"image: want a file, got text. {ADVICE}")
    assert paths == []


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_url_as_body_is_not_fetched(client: "TestClient", visits: tuple[str, list[str]], kind: str) -> None:
    url, paths = visits
    for body in (url, f"image={url}", json.dumps({"image": url})):
        response = client.post("/predict", content=body, headers={"content-type": kind})

        assert refusal(response)[0] == 400
    assert paths == []


def test_empty_image_is_refused(client: "TestClient") -> None:
    want = (400, f"image: want an image file, got 0 bytes. {ADVICE}")

    assert refusal(client.post("/predict")) == want
    assert refusal(client.post("/predict", content=b"", headers=FORM)) == want
    assert refusal(client.post("/predict", files={"image": ("red.png", b"")})) == want


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_gets_413(client: "TestClient", chunked: bool) -> None:
    parts = [b"x" * 2**20] * (LIMIT_BYTES // 2**20) + [b"x"]
    response = client.post("/predict", content=iter(parts) if chunked else b"".join(parts))

    assert refusal(response) == (413, "image: want at most 10,485,760 bytes, got more. Send a smaller image.")


def test_declared_length_over_the_limit_is_refused_before_the_body_is_read(client: "TestClient") -> None:
    response = client.post("/predict", content=RED, headers={"content-length": str(LIMIT_BYTES + 1)})

    assert refusal(response)[0] == 413


def test_body_at_the_limit_is_read(client: "TestClient") -> None:
    response = client.post("/predict", content=RED + b"\0" * (LIMIT_BYTES - len(RED)))

    assert (response.status_code, response.json()["label"]) == (200, "red")


@pytest.mark.parametrize("parts", [[], [RED], [RED[:20], RED[20:]]])
def test_client_that_disconnects_gets_no_answer_and_the_next_one_is_served(
    client: "TestClient", parts: list[bytes]
) -> None:
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict", "root_path": ""}
    connection = {"scheme": "http", "http_version": "1.1", "query_string": b"", "headers": [], "client": ("test", 1)}
    assert client.portal is not None
    client.portal.call(client.app, {**scope, **connection, "server": ("test", 80)}, receive, send)

    assert sent == []
    assert client.post("/predict", content=RED).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/predict", 405), ("GET", "/nowhere", 404)])
def test_errors_of_the_router_are_one_object_too(client: "TestClient", method: str, path: str, status: int) -> None:
    assert refusal(client.request(method, path))[0] == status


@pytest.mark.parametrize("path", ["/nowhere", "/predict/", "/predict%0A"])
def test_post_to_another_path_is_told_the_right_one(client: "TestClient", path: str) -> None:
    status, sentence = refusal(client.post(path, content=RED))

    assert status == 404
    assert f"want POST /predict. {ADVICE}" in sentence


def test_wrong_method_is_told_the_right_one(client: "TestClient") -> None:
    response = client.delete("/predict")

    assert refusal(response) == (405, f"/predict: want POST, got DELETE. {ADVICE}")
    assert response.headers["allow"] == "POST"


def test_part_with_only_a_filename_in_another_charset_is_the_image(client: "TestClient") -> None:
    head = b"--x\r\nContent-Disposition: form-data; name=\"image\"; filename*=UTF-8''%C3%A9.png\r\n\r\n"
    response = client.post("/predict", content=head + RED + b"\r\n--x--\r\n", headers=FORM)

    assert (response.status_code, response.json()["label"]) == (200, "red")


def test_page_may_not_load_anything_from_elsewhere(client: "TestClient") -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert response.headers["content-security-policy"].startswith("default-src 'self';")
    assert "script-src" not in response.headers["content-security-policy"]


def through(app: ASGIApp, more: Mapping[str, object] = MappingProxyType({})) -> tuple[int, Any]:
    """Status and answer of an app inside PlainErrors to a GET request."""
    front = PlainErrors(ImageUpload(app))
    answered: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"a", "more_body": False}

    async def send(message: Message) -> None:
        answered.append(message)

    asyncio.run(front({"type": "http", "method": "GET", "path": "/", "headers": [], **more}, receive, send))
    return answered[0]["status"], json.loads(b"".join(each["body"] for each in answered[1:]))


def test_exception_becomes_one_object_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise UnicodeError("of a library")

    assert through(broken) == (
        500,
        {"error": "The service itself failed. Its log says why; other requests are not affected."},
    )
    assert "of a library" in caplog.text


def test_exception_after_an_error_began_becomes_one_object() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 400, "headers": []})
        raise ValueError

    assert through(broken)[0] == 500


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_every_error_is_one_short_line(status: int) -> None:
    app = PlainTextResponse("a\n\x1b[31m" + "b" * 10_000, status)

    got, answer = through(app)

    assert (got, list(answer)) == (status, ["error"])
    assert answer["error"].isprintable()
    assert len(answer["error"]) < 1100


def test_forms_are_parsed_outside_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def parse(boundary: str, body: bytes) -> bytes:
        threads.append(threading.current_thread())
        return body

    monkeypatch.setattr("graft.serving.front.image_of_form", parse)
    through(PlainTextResponse("{}"), {BOUNDARY: "x"})

    (used,) = threads
    assert used is not threading.main_thread()
