"""The BentoML service: `POST /predict` classifies one image."""

import logging
import os
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from graft.records.common import SHA256_DIGITS, NoOutcome, Outcome
from graft.serving.door import Door
from graft.serving.front import ImageUpload, PlainErrors
from graft.serving.predictor import Prediction, load_predictor, predict
from graft.serving.uploads import Bounds

# read when bentoml is imported
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.validators import ContentType

# Relative to the repository's root or, in a Bento, to the code: BentoML starts the service there.
MODEL = Path("models/final")
ROUTE = "/predict"
LIMIT_BYTES = 10 * 2**20
THREADS = 2
# From the last byte of the upload.
TIMEOUT_S = 10
# Complete uploads held at a time, each at most LIMIT_BYTES; more get a 429 at once.
MAX_CONCURRENCY = 32
# Limits on uploads that are still being received.
BOUNDS = Bounds(
    body_bytes=LIMIT_BYTES,
    held_bytes=32 * LIMIT_BYTES,
    bodies=500,
    seconds=60,
    pause_s=10,
    drained_bytes=10 * LIMIT_BYTES,
)


class Model(BaseModel):
    """The model that made a prediction."""

    sha256: str
    """first 12 hex digits of the SHA-256 of its file"""
    verdict: Outcome | NoOutcome
    """whether transfer learning helped; NONE: nothing of the target had a label to tell it by"""


class Answer(Prediction):
    """A prediction and the model that made it."""

    model: Model


class Busy(BentoMLException):
    """Too many images are being processed. The client is told; nothing is logged."""

    error_code = HTTPStatus.TOO_MANY_REQUESTS


class Guarded(bentoml.Service[Any]):  # type: ignore[misc]
    """A BentoML service inside a `Door`, which as a middleware would come after those of BentoML itself."""

    def to_asgi(self, is_main: bool = True) -> Door:
        """The ASGI application."""
        app: Starlette = super().to_asgi(is_main)
        return Door(app, _paths(app), ROUTE, BOUNDS)


def _paths(app: Starlette) -> frozenset[str]:
    """All paths that the service has, including files in mounted folders."""
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
    """Image classifier. Its model is loaded and has run once before the first request is accepted."""

    def __init__(self) -> None:
        self.predictor = load_predictor(Path(os.environ.get("GRAFT_MODEL", MODEL)))
        card = self.predictor.card
        self.model = Model(sha256=card.model_sha256[:SHA256_DIGITS], verdict=card.verdict)

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
    """False for bad images and for `Busy`: the client is told, and BentoML would log 30 lines for each."""
    return record.exc_info is None or not isinstance(record.exc_info[1], InvalidArgument | Busy)


logging.getLogger("bentoml._internal.server.http_app").addFilter(_worth_a_trace)
Classifier.add_asgi_middleware(PlainErrors)  # type: ignore[attr-defined]
Classifier.add_asgi_middleware(ImageUpload)  # type: ignore[attr-defined]
