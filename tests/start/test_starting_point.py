import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from tests.start.folders import PARAMS

from graft.params.pipeline import Params
from graft.start.starting_point import HOME, StartingPoint, at_hand, check_at_hand, check_network, choose

NETWORK = "squeezenet1_1"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(torchvision.models.get_model(NETWORK).state_dict(), path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _params(dataset: str = "example", **network: Any) -> Params:
    values = PARAMS.model_dump()
    values["network"] |= network
    values["prepare_data"]["dataset"] = dataset
    return Params.model_validate(values)


def _chosen(
    params: Params, network: str | None = None, weights: str | None = None, has_source: bool = False
) -> tuple[str, str]:
    chosen = choose(params, network, weights, has_source)
    return chosen.name, chosen.weights


def test_the_network_of_the_example_makes_room_for_published_weights(here: Path) -> None:
    assert _chosen(_params()) == ("mobilenet_v2", "IMAGENET1K_V1")
    assert _chosen(_params(), network="resnet18") == ("resnet18", "IMAGENET1K_V1")


def test_what_params_say_stays(here: Path) -> None:
    chosen = choose(_params(name="resnet18", weights="IMAGENET1K_V1"), None, None, False)
    assert (chosen.name, chosen.weights, chosen.kept) == ("resnet18", "IMAGENET1K_V1", True)


def test_small_cnn_stays_where_it_can_learn_from_source_images_of_ones_own(here: Path) -> None:
    assert _chosen(_params("folders"), has_source=True) == ("small_cnn", "pretrain")
    assert _chosen(_params("folders")) == ("mobilenet_v2", "IMAGENET1K_V1")
    assert _chosen(_params("example"), has_source=True) == ("mobilenet_v2", "IMAGENET1K_V1")


def test_the_file_that_params_name_must_be_there(here: Path) -> None:
    named = {"name": NETWORK, "weights": "file", "weights_file": "gone.pth", "weights_sha256": "0" * 64}
    with pytest.raises(FileNotFoundError, match=r"network\.weights_file: want a file, got none at gone\.pth"):
        choose(_params(**named), None, None, False)


def test_pretraining_needs_source_images(here: Path) -> None:
    assert _chosen(_params(), weights="pretrain", has_source=True) == ("small_cnn", "pretrain")
    assert _chosen(_params(), network="small_cnn", has_source=True) == ("small_cnn", "pretrain")
    with pytest.raises(
        ValueError, match=r"want images to pretrain small_cnn on under data/raw/source/<class>/, got none"
    ):
        choose(_params(), None, "pretrain", False)


def test_a_file_tells_its_network_and_its_hash(here: Path, weights: Path) -> None:
    chosen = choose(_params(), None, str(weights), False)
    assert chosen.values(chosen.kept_as) == {
        "name": NETWORK,
        "weights": "file",
        "weights_file": "models/weights/net.pth",
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }


def test_a_file_in_the_repository_stays_where_it_is(here: Path, weights: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "net.pth").symlink_to(weights)
    assert StartingPoint(NETWORK, "file", "", here / "mine" / "net.pth").kept_as == Path("mine/net.pth")


def test_the_one_file_that_fits_is_taken(here: Path, weights: Path) -> None:
    HOME.mkdir(parents=True)
    (HOME / "net.pth").symlink_to(weights)
    (HOME / "net.pth.dvc").write_text("outs: []")
    (HOME / "notes").write_text("no weights")
    assert choose(_params(), None, None, False).file == HOME / "net.pth"
    assert _chosen(_params(), network=NETWORK) == (NETWORK, "file")
    assert _chosen(_params(), network="resnet18") == ("resnet18", "IMAGENET1K_V1")
    (HOME / "again.pth").symlink_to(weights)
    assert _chosen(_params()) == ("mobilenet_v2", "IMAGENET1K_V1")


@pytest.mark.parametrize(
    ("network", "weights", "said"),
    [
        ("resnet-18", None, "--network: want small_cnn or a classification network of torchvision, got resnet-18. Did"),
        ("x", None, "got x. Choose one of small_cnn, alexnet"),
        ("small_cnn", "IMAGENET1K_V1", "--weights: want pretrain with small_cnn, got IMAGENET1K_V1."),
    ],
)
def test_a_network_that_is_unknown_is_met_by_those_that_are_known(network: str, weights: str | None, said: str) -> None:
    with pytest.raises(ValueError, match="want") as caught:
        check_network(network, weights)
    assert said in str(caught.value)


def test_weights_that_are_unknown_are_met_by_those_that_are_known(here: Path) -> None:
    with pytest.raises(
        ValueError, match=r"of resnet50 \(IMAGENET1K_V1, IMAGENET1K_V2\), got V3, which is no file here"
    ):
        choose(_params(), "resnet50", "V3", True)


def test_networks_that_are_known_pass() -> None:
    for name, weights in (("small_cnn", None), ("small_cnn", "pretrain"), ("resnet18", "IMAGENET1K_V1")):
        check_network(name, weights)


def test_close_names_are_named() -> None:
    with pytest.raises(ValueError, match="Did you mean resnet18 or"):
        check_network("ResNet-18", None)


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200 if "there" in self.path else 404)
        self.send_header("Content-Length", "14000000")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_weights_that_can_be_downloaded_are_said_with_their_size(address: str, tmp_path: Path) -> None:
    assert at_hand(f"{address}/there-0123abcd.pth", "V1 of net", tmp_path) == "V1 of net will be downloaded, 14 MB"
    assert list(tmp_path.iterdir()) == []


def test_weights_that_cannot_be_had_are_said_with_what_to_do(address: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="want V1 of net on this machine or from http://127") as caught:
        at_hand(f"{address}/gone.pth", "V1 of net", tmp_path)
    assert "`graft start --weights PATH`; or put it into models/weights/." in str(caught.value)


def test_weights_in_the_cache_need_no_network(tmp_path: Path) -> None:
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    (tmp_path / f"net-{digits}.pth").write_bytes(b"weights")
    assert at_hand(f"http://127.0.0.1:9/net-{digits}.pth", "V1 of net", tmp_path) == "V1 of net is on this machine"


def test_a_download_that_was_cut_short_is_said(tmp_path: Path) -> None:
    (tmp_path / "net-0123abcd.pth").write_bytes(b"half")
    with pytest.raises(RuntimeError, match="got a file that is cut short or changed"):
        at_hand("http://127.0.0.1:9/net-0123abcd.pth", "V1 of net", tmp_path)


def test_the_cache_is_that_of_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = torchvision.models.get_model_weights(NETWORK)["IMAGENET1K_V1"].url
    file = tmp_path / "hub" / "checkpoints" / Path(url).name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    with pytest.raises(RuntimeError, match="cut short"):
        check_at_hand(StartingPoint(NETWORK, "IMAGENET1K_V1", ""))
    assert check_at_hand(StartingPoint("small_cnn", "pretrain", "")) == ""
