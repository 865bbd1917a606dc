"""The BentoML service: `POST /predict` answers for one image."""

import logging
import os
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from graft.records.common import Outcome
from graft.serving.door import Door
from graft.serving.front import ImageUpload, PlainErrors
from graft.serving.predictor import Prediction, load_predictor, predict
from graft.serving.uploads import Bounds

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # read at the import of bentoml

import bentoml
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.validators import ContentType

MODEL = Path("models/final")
"""from the repository's root, and in a Bento beside the code: where BentoML starts either"""
ROUTE = "/predict"
LIMIT_BYTES = 10 * 2**20
THREADS = 2
TIMEOUT_S = 10  # from the last byte of the upload
MAX_CONCURRENCY = 32  # whole uploads held at a time, each at most LIMIT_BYTES; more get 429 at once
BOUNDS = Bounds(
    body_bytes=LIMIT_BYTES,
    held_bytes=32 * LIMIT_BYTES,
    bodies=500,
    seconds=60,
    pause_s=10,
    drained_bytes=10 * LIMIT_BYTES,
)
"""of uploads that are still being sent"""


class Model(BaseModel):
    """Which model answered."""

    sha256: str
    """the first 12 digits of its file's hash"""
    verdict: Outcome
    """whether transfer helped it"""


class Answer(Prediction):
    """A prediction and the model that made it."""

    model: Model


class Busy(BentoMLException):
    """Too much in work; the sender is told, and not the log."""

    error_code = HTTPStatus.TOO_MANY_REQUESTS


class Guarded(bentoml.Service[Any]):  # type: ignore[misc]
    """A BentoML service behind the door: BentoML's own middlewares stand outside of those that it lets us add."""

    def to_asgi(self, is_main: bool = True) -> Door:
        """The service as it is served."""
        app: Starlette = super().to_asgi(is_main)
        return Door(app, _paths(app), ROUTE, BOUNDS)


def _paths(app: Starlette) -> frozenset[str]:
    """Every path that is served, files of mounted folders included."""
    paths = {route.path for route in app.routes if isinstance(route, Route)}
    for mount in app.routes:
        if isinstance(mount, Mount) and isinstance(mount.app, StaticFiles) and mount.app.directory:
            folder = Path(mount.app.directory)
            paths |= {f"{mount.path}/{file.relative_to(folder).as_posix()}" for file in folder.rglob("*")}
    return frozenset(paths)


@bentoml.service(
    workers=1,
    threads=THREADS,
    traffic={"timeout": TIMEOUT_S, "max_concurrency": MAX_CONCURRENCY},
    service_class=Guarded,
)
class Classifier:
    """Image classifier; its model is loaded and has answered once before the first request is taken."""

    def __init__(self) -> None:
        self.predictor = load_predictor(Path(os.environ.get("GRAFT_MODEL", MODEL)))
        card = self.predictor.card
        self.model = Model(sha256=card.model_sha256[:12], verdict=card.verdict)

    @bentoml.api(route=ROUTE)  # type: ignore[untyped-decorator]
    def predict(self, image: Annotated[bytes, ContentType("image/*")], /) -> Answer:
        """Class probabilities of one image.

        Send the image file as the body, of any content type, or as the one file in the multipart field
        `image`.
        """
        try:
            prediction = predict(self.predictor, image)
        except ValueError as error:
            raise InvalidArgument(str(error)) from None
        except TimeoutError as error:
            raise Busy(str(error)) from None
        return Answer(**prediction.model_dump(), model=self.model)


def _worth_a_trace(record: logging.LogRecord) -> bool:
    """False for a bad image and a busy hour: the sender is told, and BentoML would log 30 lines for each."""
    return record.exc_info is None or not isinstance(record.exc_info[1], InvalidArgument | Busy)


logging.getLogger("bentoml._internal.server.http_app").addFilter(_worth_a_trace)
Classifier.add_asgi_middleware(PlainErrors)  # type: ignore[attr-defined]
Classifier.add_asgi_middleware(ImageUpload)  # type: ignore[attr-defined]
