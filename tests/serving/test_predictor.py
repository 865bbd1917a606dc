import hashlib
import io
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from graft.cards import ModelCard
from graft.files import read_record, write_record
from graft.serving.predictor import MAX_PIXELS, Prediction, load_predictor, predict

SCALE = 0.02
"""of a logit of the tests' model, per grey level of the mean of its channel"""


def png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def plain(red: int, green: int, blue: int, side_px: int = 8) -> bytes:
    return png(np.full((side_px, side_px, 3), (red, green, blue), dtype=np.uint8))


def changed_card(folder: Path, **fields: object) -> None:
    card = read_record(ModelCard, folder / "card.json")
    write_record(card.model_copy(update=fields), folder / "card.json")


def test_probabilities_equal_the_softmax_of_the_channel_means(model_folder: Path) -> None:
    prediction = predict(load_predictor(model_folder), plain(200, 100, 50))

    powers = [math.exp(SCALE * mean) for mean in (200, 100, 50)]
    want = [power / sum(powers) for power in powers]
    assert list(prediction.probabilities.values()) == pytest.approx(want, rel=1e-5)


def test_label_is_the_most_probable_one_and_probability_its_own(model_folder: Path) -> None:
    prediction = predict(load_predictor(model_folder), plain(10, 20, 250))

    assert prediction.label == "blue"
    assert prediction.probability == prediction.probabilities["blue"] == max(prediction.probabilities.values())


def test_probabilities_stand_in_the_order_of_the_cards_labels(model_folder: Path) -> None:
    prediction = predict(load_predictor(model_folder), plain(1, 2, 3))

    assert tuple(prediction.probabilities) == ("red", "green", "blue")


def test_image_of_another_size_passes_resize_and_crop(model_folder: Path) -> None:
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, :20, 0] = wide[:, 20:40, 1] = wide[:, 40:, 2] = 255  # the centre square is green

    prediction = predict(load_predictor(model_folder), png(wide))

    assert prediction.label == "green"
    assert prediction.probability > 0.9


def test_same_bytes_give_the_same_prediction(model_folder: Path) -> None:
    predictor = load_predictor(model_folder)
    image = png(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))

    assert predict(predictor, image) == predict(load_predictor(model_folder), image)


def test_prediction_cannot_be_changed(model_folder: Path) -> None:
    prediction: Prediction = predict(load_predictor(model_folder), plain(1, 2, 3))

    with pytest.raises(ValueError, match="frozen"):
        prediction.label = "red"  # type: ignore[misc]


@pytest.mark.parametrize("content", [b"", b"no image", plain(200, 0, 0, side_px=64)[:-30]])
def test_unreadable_bytes_get_one_sentence(model_folder: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^image: want .*, got"):
        predict(load_predictor(model_folder), content)


def test_image_at_the_limit_of_pixels_is_read_and_one_with_a_row_more_refused(model_folder: Path) -> None:
    width = math.isqrt(MAX_PIXELS)
    height = MAX_PIXELS // width
    at_limit, beyond = (png(np.zeros((rows, width), dtype=np.uint8)) for rows in (height, height + 1))

    assert predict(load_predictor(model_folder), at_limit).probability == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match=rf"^image: want .*, got: {width} x {height + 1} pixels, more than the limit"):
        predict(load_predictor(model_folder), beyond)


def test_model_with_one_changed_bit_is_refused(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    model = make_model(tmp_path) / "model.onnx"
    content = bytearray(model.read_bytes())
    content[content.index(np.float32(SCALE).tobytes())] ^= 1  # a weight: the file stays a sound model
    model.write_bytes(content)

    with pytest.raises(ValueError, match=r"model.onnx: want the model of the card, sha256 \w{12}, got \w{12}\. Bring"):
        load_predictor(tmp_path)


def test_missing_model_is_named(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    (make_model(tmp_path) / "model.onnx").unlink()

    with pytest.raises(FileNotFoundError, match=r"model.onnx: want the model, got no file\. Run `dvc repro`"):
        load_predictor(tmp_path)


def test_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"card.json: want a ModelCard, got no file"):
        load_predictor(tmp_path)


def test_model_with_another_number_of_classes_than_the_card_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path]
) -> None:
    changed_card(make_model(tmp_path), labels=("red", "green"))

    with pytest.raises(ValueError, match=r"want 2 probabilities that sum to 1, .* got 3 that sum to 1\. Export"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("factor", [0.9, 1.1, math.nan])
def test_model_whose_probabilities_do_not_sum_to_1_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path], factor: float
) -> None:
    path = make_model(tmp_path) / "model.onnx"
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "sound"
    model.graph.node.append(onnx.helper.make_node("Mul", ["sound", "factor"], ["probabilities"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(factor, dtype=np.float32), "factor"))
    onnx.save(model, path)
    changed_card(tmp_path, model_sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    with pytest.raises(
        ValueError, match=rf"want 3 probabilities that sum to 1, .* got 3 that sum to {factor}\. Export"
    ):
        load_predictor(tmp_path)


def test_idle_threads_do_not_spin(model_folder: Path) -> None:
    options = load_predictor(model_folder).session.get_session_options()

    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_predictor_knows_nothing_of_http_nor_of_training() -> None:
    code = (
        "import sys, graft.serving.predictor;"
        "sys.exit(' '.join({'bentoml', 'starlette', 'torch', 'dvc', 'pandas', 'sklearn', 'scipy',"
        " 'great_expectations'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
