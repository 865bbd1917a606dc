import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from graft.files import read_record
from graft.records.cards import ModelCard
from graft.yaml_files import read_yaml

if TYPE_CHECKING:
    from starlette.testclient import TestClient

PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
REPOSITORY = Path(__file__).parents[2]


def test_answer_has_prediction_and_model(client: "TestClient", red: bytes, model_folder: Path) -> None:
    response = client.post("/predict", files={"image": ("red.png", red)})

    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {"label", "probability", "probabilities", "model"}
    assert answer["label"] == "red"
    assert answer["probability"] == answer["probabilities"]["red"] > 0.9
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    card = read_record(ModelCard, model_folder / "card.json")
    assert answer["model"] == {"sha256": card.model_sha256[:12], "verdict": card.verdict}


def refusal(response: Any) -> tuple[int, str]:
    """Status and message of an answer that is one object with one key."""
    answer = response.json()
    assert list(answer) == ["error"], answer
    return response.status_code, answer["error"]


@pytest.mark.parametrize("content", [b"no image", PNG_START, b"\x00" * 1000, b"[]", b"null"])
def test_unreadable_image_gets_400_and_one_message(client: "TestClient", content: bytes) -> None:
    for response in (
        client.post("/predict", content=content),
        client.post("/predict", files={"image": ("red.png", content, "image/png")}),
    ):
        status, sentence = refusal(response)
        assert status == 400
        assert sentence.startswith("image: want a whole image, got: ")


def test_bad_image_leaves_no_traceback_in_the_log(client: "TestClient", caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        client.post("/predict", content=b"no image")

    assert [each for each in caplog.records if each.exc_info] == []


@pytest.mark.parametrize(
    ("fault", "status", "sentence"),
    [
        (TimeoutError("image: want room."), 429, "image: want room."),
        (
            RuntimeError("a model that answers NaN"),
            500,
            "An unexpected error has occurred, please check the server log.",
        ),
    ],
)
def test_error_of_the_predictor_is_one_object(
    client: "TestClient", red: bytes, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int, sentence: str
) -> None:
    def faulty(*_: object) -> None:
        raise fault

    monkeypatch.setattr("graft.serving.service.predict", faulty)

    assert refusal(client.post("/predict", content=red)) == (status, sentence)


def test_service_is_ready_once_the_model_has_run(client: "TestClient") -> None:
    assert client.get("/readyz").status_code == 200
    assert client.get("/livez").status_code == 200


def test_service_does_not_start_with_another_model_than_the_cards(
    tmp_path: Path, make_model: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, classifier: Any
) -> None:
    (make_model(tmp_path) / "model.onnx").write_bytes(b"another")
    monkeypatch.setenv("GRAFT_MODEL", str(tmp_path))

    with pytest.raises(ValueError, match="want the model of the card"):
        classifier.inner()


def test_model_of_the_working_folder_is_the_default(
    tmp_path: Path, make_model: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, classifier: Any
) -> None:
    make_model(tmp_path / "models" / "final")
    monkeypatch.delenv("GRAFT_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)

    card = read_record(ModelCard, tmp_path / "models" / "final" / "card.json")
    assert classifier.inner().predictor.card == card


def test_openapi_describes_the_endpoint(client: "TestClient") -> None:
    post = client.get("/docs.json").json()["paths"]["/predict"]["post"]

    assert post["requestBody"]["content"]["image/*"]["schema"]["format"] == "binary"
    assert set(post["responses"]["200"]["content"]["application/json"]["schema"]["required"]) == {
        "label",
        "probability",
        "probabilities",
        "model",
    }


def test_concurrent_requests_and_threads_are_bounded(classifier: Any) -> None:
    config = classifier.config

    assert (config["workers"], config["threads"]) == (1, 2)
    assert config["traffic"] == {"timeout": 10, "max_concurrency": 32}


def test_uploads_that_are_being_received_are_bounded(classifier: Any) -> None:
    from graft.serving.service import BOUNDS

    assert (BOUNDS.body_bytes, BOUNDS.held_bytes) == (10 * 2**20, 320 * 2**20)
    assert (BOUNDS.bodies, BOUNDS.seconds, BOUNDS.pause_s) == (500, 60, 10)


def test_every_command_that_serves_listens_only_on_this_machine() -> None:
    commands = re.findall(r"bentoml serve [^\n]*", (REPOSITORY / "Makefile").read_text(encoding="utf-8"))

    assert len(commands) == 2
    assert all("--host 127.0.0.1" in each for each in commands)


def shipped(folder: Path) -> Path:
    """Copy the code that bentofile.yaml lists, as it is laid out in a Bento."""
    listed = read_yaml(REPOSITORY / "bentofile.yaml")["include"]
    assert "models/final/**" in listed
    for pattern in listed:
        for path in REPOSITORY.glob(pattern.replace("/**", "/**/*.py")):
            if path.suffix == ".py":
                copy = folder / path.relative_to(REPOSITORY / "src")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
    return folder


def test_the_shipped_code_answers_and_imports_nothing_of_training(
    model_folder: Path, tmp_path: Path, red: bytes
) -> None:
    code = """
import sys, warnings
warnings.simplefilter("ignore")
from starlette.testclient import TestClient
import graft
from graft.serving.service import Classifier
assert graft.__file__.startswith(sys.argv[1]), graft.__file__
with TestClient(Classifier.to_asgi()) as client:
    assert client.post("/predict", content=sys.stdin.buffer.read()).status_code == 200
    assert client.get("/docs.json").status_code == 200
heavy = {"torch", "torchvision", "dvc", "pandas", "great_expectations", "sklearn", "scipy", "matplotlib"}
sys.exit(" ".join(sorted(heavy & sys.modules.keys())) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        input=red,
        capture_output=True,
        check=False,
        env={**os.environ, "GRAFT_MODEL": str(model_folder), "PYTHONPATH": str(shipped(tmp_path))},
    )

    assert done.returncode == 0, done.stderr.decode()[-500:]


def test_telemetry_is_off(classifier: Any) -> None:
    from bentoml._internal.utils.analytics.usage_stats import do_not_track

    assert do_not_track()
