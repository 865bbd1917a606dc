import hashlib
import io
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.external_data_helper
import pytest
from numpy.typing import NDArray
from PIL import Image

from graft.files import read_record, record_sha256, write_record
from graft.records.cards import ModelCard
from graft.serving.predictor import PixelBudget, Prediction, load_predictor, predict

SCALE = 0.02
"""change of a logit of the test model for each grey level of the mean of its channel"""


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


def test_probabilities_are_in_the_order_of_the_cards_labels(model_folder: Path) -> None:
    prediction = predict(load_predictor(model_folder), plain(1, 2, 3))

    assert tuple(prediction.probabilities) == ("red", "green", "blue")


def test_image_of_another_size_is_resized_and_cropped(model_folder: Path) -> None:
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    # the central square is green
    wide[:, :20, 0] = wide[:, 20:40, 1] = wide[:, 40:, 2] = 255

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
def test_unreadable_bytes_are_one_clear_error(model_folder: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^image: want .*, got"):
        predict(load_predictor(model_folder), content)


def test_image_at_the_limit_of_pixels_is_read_and_one_with_a_row_more_refused(model_folder: Path) -> None:
    predictor = load_predictor(model_folder)
    most = predictor.card.preprocessing.max_pixels
    width = math.isqrt(most)
    height = most // width
    at_limit, beyond = (png(np.zeros((rows, width), dtype=np.uint8)) for rows in (height, height + 1))

    assert predict(predictor, at_limit).probability == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match=rf"^image: want .*, got: {width} x {height + 1} pixels, more than the limit"):
        predict(predictor, beyond)


def test_model_with_one_changed_bit_is_refused(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    model = make_model(tmp_path) / "model.onnx"
    content = bytearray(model.read_bytes())
    # a weight, so that the file is still a valid model
    content[content.index(np.float32(SCALE).tobytes())] ^= 1
    model.write_bytes(content)

    with pytest.raises(
        ValueError, match=r"model.onnx: want the model of the card, sha256 \w{12}, got \w{12}\. Restore"
    ):
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


def test_predictor_imports_nothing_of_http_or_training() -> None:
    code = (
        "import sys, graft.serving.predictor;"
        "sys.exit(' '.join({'bentoml', 'starlette', 'torch', 'dvc', 'pandas', 'sklearn', 'scipy',"
        " 'great_expectations'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def rewritten(folder: Path, change: Callable[[onnx.GraphProto], None]) -> Path:
    """Change the graph of a folder's model, and put its new hash into the card."""
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    change(model.graph)
    content = model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    changed_card(folder, model_sha256=hashlib.sha256(content).hexdigest())
    return folder


def moved_out(location: str) -> Callable[[onnx.GraphProto], None]:
    """A function that moves the weights of the head to another file, which the graph then names."""

    def change(graph: onnx.GraphProto) -> None:
        (head,) = (each for each in graph.initializer if each.name == "head")
        onnx.external_data_helper.set_external_data(head, location)
        head.ClearField("raw_data")

    return change


WEIGHTS = (SCALE * np.eye(3, dtype=np.float32)).tobytes()


def with_data_file(folder: Path, content: bytes = WEIGHTS, listed: bool = True) -> Path:
    """A model whose weights are in weights.bin."""
    (folder / "weights.bin").write_bytes(content)
    if listed:
        changed_card(folder, data_files={"weights.bin": hashlib.sha256(WEIGHTS).hexdigest()})
    return rewritten(folder, moved_out("weights.bin"))


def test_weights_of_a_listed_data_file_are_used(
    tmp_path: Path, make_model: Callable[[Path], Path], model_folder: Path
) -> None:
    image = plain(200, 100, 50)

    got = predict(load_predictor(with_data_file(make_model(tmp_path))), image)

    assert got == predict(load_predictor(model_folder), image)


@pytest.mark.parametrize("location", ["weights.bin", "sub/weights.bin", "../weights.bin", "/etc/hostname"])
def test_data_file_that_the_card_does_not_list_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    folder = make_model(tmp_path / "final")
    # a runtime that is given bytes looks for such files in the working folder
    monkeypatch.chdir(folder)
    for name in ("weights.bin", "sub/weights.bin", "../weights.bin"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(WEIGHTS)

    with pytest.raises(
        ValueError, match=r"model.onnx: want a model that runs, with the data files that its card lists"
    ):
        load_predictor(rewritten(folder, moved_out(location)))


def test_changed_data_file_is_refused(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    with pytest.raises(
        ValueError, match=r"weights.bin: want the model of the card, sha256 \w{12}, got \w{12}\. Restore"
    ):
        load_predictor(with_data_file(make_model(tmp_path), content=WEIGHTS[:-1] + b"\x7f"))


def test_missing_data_file_is_named(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    (with_data_file(make_model(tmp_path)) / "weights.bin").unlink()

    with pytest.raises(FileNotFoundError, match=r"weights.bin: want the model, got no file"):
        load_predictor(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preprocessing_sha256": "0" * 64}, "want the preprocessing of preprocessing_sha256, got another"),
        ({"labels": ("red", "blue", "red")}, r"want labels, each once, got \['red'\]"),
        ({"labels": ()}, "want labels, each once, got none"),
        ({"data_files": {"../model.onnx": "0" * 64}}, r"want data_files beside the model, got \['../model.onnx'\]"),
        ({"data_files": {"model.onnx": "0" * 64}}, r"want data_files beside the model, got \['model.onnx'\]"),
    ],
)
def test_inconsistent_card_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path], fields: dict[str, object], message: str
) -> None:
    changed_card(make_model(tmp_path), **fields)

    with pytest.raises(ValueError, match=rf"card.json: {message}\. Export the model again"):
        load_predictor(tmp_path)


@pytest.mark.parametrize(("resize_px", "crop_px"), [(8, 0), (8, 9), (0, 0), (100_000, 8)])
def test_size_out_of_range_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path], resize_px: int, crop_px: int
) -> None:
    card = read_record(ModelCard, make_model(tmp_path) / "card.json")
    preprocessing = card.preprocessing.model_copy(update={"resize_px": resize_px, "crop_px": crop_px})
    changed_card(tmp_path, preprocessing=preprocessing, preprocessing_sha256=record_sha256(preprocessing))

    with pytest.raises(ValueError, match=rf"card.json: want 1 <= crop_px <= resize_px <= 4096, got {crop_px} and"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0a" + b"\xff" * 30])
def test_file_that_the_runtime_cannot_read_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path], content: bytes
) -> None:
    (make_model(tmp_path) / "model.onnx").write_bytes(content)
    changed_card(tmp_path, model_sha256=hashlib.sha256(content).hexdigest())

    with pytest.raises(ValueError, match=r"model.onnx: want a model that runs, .*, got: .*\. Export the model again"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("side_px", [16, 4])
def test_model_of_another_size_than_the_cards_is_refused(
    tmp_path: Path, make_model: Callable[[Path], Path], side_px: int
) -> None:
    card = read_record(ModelCard, make_model(tmp_path) / "card.json")
    preprocessing = card.preprocessing.model_copy(update={"resize_px": side_px, "crop_px": side_px})
    changed_card(tmp_path, preprocessing=preprocessing, preprocessing_sha256=record_sha256(preprocessing))

    with pytest.raises(ValueError, match=r"want a model that runs, .* got: .*image"):
        load_predictor(tmp_path)


def of_the_means(*operations: str) -> Callable[[onnx.GraphProto], None]:
    """A function that puts these operations between the means of the channels and the head."""

    def change(graph: onnx.GraphProto) -> None:
        names = ["features", *(f"step_{each}" for each in operations)]
        nodes = [onnx.helper.make_node(each, [names[i]], [names[i + 1]]) for i, each in enumerate(operations)]
        head = next(i for i, node in enumerate(graph.node) if node.op_type == "MatMul")
        graph.node[head].input[0] = names[-1]
        for node in reversed(nodes):
            graph.node.insert(head, node)

    return change


def test_model_whose_output_is_nan_is_refused(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    with pytest.raises(ValueError, match=r"model.onnx: want 3 probabilities that sum to 1, .* got 3 that sum to nan\."):
        load_predictor(rewritten(make_model(tmp_path), of_the_means("Log")))


def test_nan_for_one_image_is_an_error(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    predictor = load_predictor(rewritten(make_model(tmp_path), of_the_means("Neg", "Sqrt")))

    assert predict(predictor, plain(0, 0, 0)).probability == pytest.approx(1 / 3)
    with pytest.raises(
        RuntimeError, match=r"model.onnx: want 3 probabilities that sum to 1, .* got 3 that sum to nan\."
    ):
        predict(predictor, plain(1, 2, 3))


def test_probabilities_below_zero_are_refused(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    def change(graph: onnx.GraphProto) -> None:
        graph.initializer.append(onnx.numpy_helper.from_array(np.array([[-1, 0.5, 0.5]], dtype=np.float32), "odd"))
        graph.node.append(onnx.helper.make_node("Add", ["soft", "odd"], ["probabilities"]))
        next(node for node in graph.node if node.op_type == "Softmax").output[0] = "soft"

    with pytest.raises(ValueError, match=r"want 3 probabilities that sum to 1, .* got 3 that sum to 1\."):
        load_predictor(rewritten(make_model(tmp_path), change))


PEAK = """
import sys, threading
from dataclasses import replace
from pathlib import Path
from graft.serving.predictor import PixelBudget, load_predictor, predict

def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))

predictor, image = load_predictor(Path(sys.argv[1])), sys.stdin.buffer.read()
predictor = replace(predictor, budget=PixelBudget(predictor.card.preprocessing.max_pixels, wait_s=600))
before = status("VmRSS")
threads = [threading.Thread(target=predict, args=(predictor, image)) for _ in range(3)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print((status("VmHWM") - before) * 1024)
"""


@pytest.mark.parametrize(("kind", "bytes_a_pixel"), [("PNG", 15), ("WEBP", 22)])
def test_large_transparent_images_at_once_need_the_memory_of_one(
    model_folder: Path, kind: str, bytes_a_pixel: int
) -> None:
    buffer = io.BytesIO()
    picture = Image.new("RGBA", (5000, 5000), (1, 2, 3, 4))
    picture.save(buffer, format=kind, lossless=True)

    command = [sys.executable, "-c", PEAK, str(model_folder)]
    done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True)

    assert done.stderr == b""
    assert int(done.stdout) < bytes_a_pixel * picture.width * picture.height


def test_pixels_processed_at_once_never_exceed_the_budget() -> None:
    budget, lock, at_work, most = PixelBudget(10, wait_s=60), threading.Lock(), [0], [0]

    def work(pixels: int) -> None:
        for _ in range(50):
            with budget.taken(pixels):
                with lock:
                    at_work[0] += pixels
                    most[0] = max(most[0], at_work[0])
                time.sleep(0)
                with lock:
                    at_work[0] -= pixels

    threads = [threading.Thread(target=work, args=(pixels,)) for pixels in (1, 4, 6, 10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert 0 < most[0] <= 10


def test_waiting_too_long_for_pixels_is_an_error() -> None:
    budget = PixelBudget(10, wait_s=0.01)

    with budget.taken(4):
        with budget.taken(6), pytest.raises(TimeoutError, match=r"^image: want memory for its pixels, got none"):
            budget.taken(1).__enter__()
        with budget.taken(6):
            pass


def test_pixels_are_released_after_an_error() -> None:
    budget = PixelBudget(10, wait_s=0.01)

    with pytest.raises(ValueError, match="broken"), budget.taken(10):
        raise ValueError("broken")
    with budget.taken(10):
        pass


def deep(highest: int) -> bytes:
    """A 16-bit grey file with this largest value."""
    return png(np.linspace(0, highest, 64).reshape(8, 8).astype(np.uint16))


def changed_preprocessing(folder: Path, **fields: object) -> None:
    card = read_record(ModelCard, folder / "card.json")
    preprocessing = card.preprocessing.model_copy(update=fields)
    changed_card(folder, preprocessing=preprocessing, preprocessing_sha256=record_sha256(preprocessing))


def test_a_12_bit_image_is_scaled_as_the_card_says(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    folder = make_model(tmp_path)
    changed_preprocessing(folder, value_bits=12)
    predictor = load_predictor(folder)
    eight = np.round(np.linspace(0, 4095, 64).reshape(8, 8).astype(np.uint16) * (255 / 4095)).astype(np.uint8)
    assert predict(predictor, deep(4095)) == predict(predictor, png(eight))
    with pytest.raises(
        ValueError, match=r"^image: want a whole image, got: grey values up to 4,096, above the 4,095 of 12 bits"
    ):
        predict(predictor, deep(4096))


def test_a_12_bit_image_is_refused_if_training_had_none(model_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"16-bit grey values up to 4,095, of unknown range"):
        predict(load_predictor(model_folder), deep(4095))


def test_the_limit_of_pixels_is_that_of_the_card(tmp_path: Path, make_model: Callable[[Path], Path]) -> None:
    folder = make_model(tmp_path)
    changed_preprocessing(folder, max_pixels=10_000)
    predictor = load_predictor(folder)
    predict(predictor, plain(1, 2, 3, side_px=100))
    with pytest.raises(ValueError, match=r"^image: .+ 101 x 101 pixels, more than the limit"):
        predict(predictor, plain(1, 2, 3, side_px=101))
