"""The BentoML service: `POST /predict` answers for one image."""

import logging
import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from graft.records import Outcome
from graft.serving.front import ImageUpload, PlainErrors
from graft.serving.predictor import Prediction, load_predictor, predict

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # read at the import of bentoml

import bentoml
from bentoml.exceptions import InvalidArgument
from bentoml.validators import ContentType

MODEL = Path("models/final")
"""from the repository's root, and in a Bento beside the code: where BentoML starts either"""
LIMIT_BYTES = 10 * 2**20
THREADS = 2
TIMEOUT_S = 10
MAX_CONCURRENCY = 32  # requests held at a time, each at most LIMIT_BYTES; more get 429 at once


class Model(BaseModel):
    """Which model answered."""

    sha256: str
    """the first 12 digits of its file's hash"""
    verdict: Outcome
    """whether transfer helped it"""


class Answer(Prediction):
    """A prediction and the model that made it."""

    model: Model


@bentoml.service(workers=1, threads=THREADS, traffic={"timeout": TIMEOUT_S, "max_concurrency": MAX_CONCURRENCY})
class Classifier:
    """Image classifier; its model is loaded and has answered once before the first request is taken."""

    def __init__(self) -> None:
        self.predictor = load_predictor(Path(os.environ.get("GRAFT_MODEL", MODEL)))
        card = self.predictor.card
        self.model = Model(sha256=card.model_sha256[:12], verdict=card.verdict)

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
    def predict(self, image: Annotated[bytes, ContentType("image/*")], /) -> Answer:
        """Class probabilities of one image.

        Send the image file as the body, of any content type, or as the one file in the multipart field
        `image`.
        """
        try:
            prediction = predict(self.predictor, image)
        except ValueError as error:
            raise InvalidArgument(str(error)) from None
        return Answer(**prediction.model_dump(), model=self.model)


def _worth_a_trace(record: logging.LogRecord) -> bool:
    """False for a bad image: its sender is told, and BentoML would log 30 lines for each as an error."""
    return record.exc_info is None or not isinstance(record.exc_info[1], InvalidArgument)


logging.getLogger("bentoml._internal.server.http_app").addFilter(_worth_a_trace)
Classifier.add_asgi_middleware(PlainErrors)  # type: ignore[attr-defined]
Classifier.add_asgi_middleware(ImageUpload, path="/predict", limit_bytes=LIMIT_BYTES)  # type: ignore[attr-defined]
