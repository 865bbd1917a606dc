import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from graft import cli
from graft.commands import summary
from graft.files import file_sha256, write_record, write_whole
from graft.networks.networks import build_network
from graft.networks.preprocessing import SMALL_CNN, preprocessing_for
from graft.networks.saving import save_network
from graft.params.pipeline import Params, json_schema, read_params
from graft.params.techniques import Lora
from graft.preparation import shards
from graft.preparation.raw import scan_raw, target_preprocessing
from graft.records.cards import ModelCard
from graft.records.common import Interval
from graft.records.release import GateRecord, Reason, ReleaseRecord
from graft.shift.feature_bank import read_bank
from graft.shift.measurement import measure
from graft.shift.origin import origin_of
from graft.stage import FAILURE
from graft.store.catalogue import read_catalog
from tests.examples import EXPORT, GAIN, backbone_card, strategy_record, training_record, verdict_record
from tests.house import ROOT
from tests.shift.samples import nothing, side_of, target_details_of_side

MODEL = hashlib.sha256(b"x").hexdigest()


def _model(folder: Path, level: str = "pass", judged: str = MODEL) -> None:
    """A model with its card and records, which the gate judged."""
    (folder / "models" / "final").mkdir(parents=True)
    (folder / "models" / "final" / "model.onnx").write_bytes(b"x")
    card = {
        "graft_version": "0",
        "labels": ["a", "b"],
        "preprocessing": {
            "resize_px": 32,
            "crop_px": 32,
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
            "interpolation": "bilinear",
        },
        "preprocessing_sha256": "p",
        "network": "small_cnn",
        "origin": "pretrain",
        "arm": "transfer",
        "strategy": "full",
        "seed": 0,
        "verdict": "NEGATIVE",
        "verdict_sentence": "It hurt.",
        "metric": "accuracy",
        "test_score": 0.5,
        "n_test_images": 10,
        "model_sha256": MODEL,
        "data_files": {},
        "weights_sha256": "w",
        "data_sha256": "d",
    }
    write_record(ModelCard.model_validate(card), folder / "models" / "final" / "card.json")
    write_record(verdict_record("POSITIVE"), folder / "models" / "records" / "verdict.json")
    write_record(EXPORT, folder / "models" / "records" / "export.json")
    write_record(strategy_record(), folder / "models" / "records" / "strategy.json")
    write_record(GAIN, folder / "models" / "records" / "gain.json")
    reason = Reason.model_validate({"check": "verdict", "level": level, "sentence": "It hurt."})
    paths = {"card": folder / "models/final/card.json"}
    paths |= {name: folder / f"models/records/{name}.json" for name in ("verdict", "export")}
    release = ReleaseRecord(
        passed=level != "fail",
        made_from={name: file_sha256(path) for name, path in paths.items() if name != "card"},
        model_sha256=judged,
        reasons=(reason,),
        next_steps=("Do a.", "Do b."),
    )
    paths["release"] = folder / "models/records/release.json"
    write_record(release, paths["release"])
    gate = GateRecord(
        made_from={name: file_sha256(paths[name]) for name in ("release", "card")},
        passed=level != "fail",
        model_sha256=judged,
    )
    write_record(gate, folder / "models" / "records" / "gate.json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_model_the_error_advises_make_repro(folder: Path) -> None:
    with pytest.raises(SystemExit, match=r"want a model and its gate record, got none\. Run `make repro`"):
        cli.main(["check-release"])


def test_a_passed_model_may_be_served(folder: Path) -> None:
    _model(folder)
    cli.main(["check-release"])


def test_a_refused_model_gives_the_reason(folder: Path) -> None:
    _model(folder, level="fail")
    with pytest.raises(SystemExit, match=r"got a refusal: It hurt\. FORCE=1 goes on"):
        cli.main(["check-release"])


def test_force_serves_a_refused_model(folder: Path) -> None:
    _model(folder, level="fail")
    cli.main(["check-release", "--force"])


def test_force_does_not_replace_a_model(folder: Path) -> None:
    with pytest.raises(SystemExit, match="Run `make repro`"):
        cli.main(["check-release", "--force"])


def test_a_gate_that_judged_another_model_does_not_count(folder: Path) -> None:
    _model(folder, judged="o" * 64)
    with pytest.raises(
        SystemExit, match=r"want the gate's word on the model, .*, got it on another models/final/model"
    ):
        cli.main(["check-release"])


@pytest.mark.parametrize(
    "name",
    ["records/verdict.json", "records/export.json", "records/release.json", "final/card.json", "final/model.onnx"],
)
@pytest.mark.parametrize("change", [lambda path: path.write_bytes(path.read_bytes() + b"\n"), Path.unlink])
def test_the_files_that_the_gate_judged_must_be_unchanged(
    folder: Path, name: str, change: Callable[[Path], object]
) -> None:
    _model(folder)
    change(folder / "models" / name)
    with pytest.raises(
        SystemExit, match=rf"models/{name}|want a (ModelCard|ReleaseRecord), got no file|want a model and its gate"
    ):
        cli.main(["check-release"])


def test_the_card_of_another_commits_verdict_is_refused(folder: Path) -> None:
    _model(folder)
    card = json.loads((folder / "models/final/card.json").read_text())
    write_record(ModelCard.model_validate(card | {"verdict": "EQUIVALENT"}), folder / "models/final/card.json")
    with pytest.raises(
        SystemExit, match=r"got it on another models/final/card\.json\. Run `dvc checkout` for the model"
    ):
        cli.main(["check-release"])


def test_a_port_in_use_is_an_error(folder: Path) -> None:
    _model(folder)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            SystemExit, match=rf"127\.0\.0\.1:{port}: want a free port, got: .*GRAFT_PORT={port + 1} make"
        ):
            cli.main(["check-release", "--port", str(port)])
    cli.main(["check-release", "--port", str(port)])


def _in_time_wait(reuse: int) -> int:
    """A port whose server has ended first, so that the system keeps it for a minute."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            server.accept()[0].close()
            client.recv(1)
        port: int = server.getsockname()[1]
        return port


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep such ports otherwise")
def test_a_port_in_time_wait_is_free_as_it_is_for_the_server(folder: Path) -> None:
    _model(folder)
    cli.main(["check-release", "--port", str(_in_time_wait(reuse=1))])
    port = _in_time_wait(reuse=0)
    with pytest.raises(
        SystemExit, match=rf"A program that has ended left it so: try again in a minute, .*{port + 1} make"
    ):
        cli.main(["check-release", "--port", str(port)])


def test_an_impossible_port_is_an_error(folder: Path) -> None:
    _model(folder)
    with pytest.raises(SystemExit, match=r"127\.0\.0\.1:99999: want a free port"):
        cli.main(["check-release", "--port", "99999"])


def test_check_params_ends_in_one_sentence(folder: Path) -> None:
    (folder / "params.yaml").write_text("seed: 0\nseeds: 1\n")
    with pytest.raises(SystemExit, match=r"params\.yaml, seeds: want a known key, got seeds\. Did you mean seed\?"):
        cli.main(["check-params"])


def test_debug_shows_the_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFT_DEBUG", "1")
    with pytest.raises(FileNotFoundError, match=r"params\.yaml"):
        cli.main(["check-params"])


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), RuntimeError("wrapped")])
def test_ctrl_c_ends_a_command_without_a_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, cause: BaseException
) -> None:
    cause.__cause__ = KeyboardInterrupt()
    monkeypatch.setattr(summary, "summary", lambda: (_ for _ in ()).throw(cause))
    with pytest.raises(SystemExit) as ended:
        cli.main(["summary"])
    assert ended.value.code == 130


def test_an_unforeseen_error_is_one_sentence_and_its_traceback_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "summary", lambda: dict[str, str]()["missing"])
    with pytest.raises(SystemExit, match=r"graft summary: want no fault .*, got KeyError: 'missing'\. Report it with"):
        cli.main(["summary"])
    assert "Traceback" in (folder / "reports/provenance/graft-summary-trace.txt").read_text()


def test_a_closed_pipe_is_not_an_error() -> None:
    command = f"set -o pipefail; {sys.executable} -m graft.cli schema | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["schema"])
    assert capsys.readouterr().out == json_schema()


def test_summary_ends_with_both_accuracies_and_what_to_try_next(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _model(folder)
    cli.main(["summary"])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "verdict   POSITIVE: The sentence.",
        "transfer  0.0% (95% interval -10.0% to 10.0%)",
        "scratch   0.0% (95% interval -10.0% to 10.0%)",
        "majority  -20.0% (always saying b, the most frequent of train)",
        "ships     Transfer ships.",
        "strategy  full, chosen by graft",
        "gate      passed",
        f"report    {folder / 'reports' / 'report.html'}",
        "next      Do a.",
        "          Do b.",
    ]


def test_summary_names_techniques_how_little_learned_and_what_was_forgotten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _model(folder)
    records = folder / "models" / "records"
    write_record(strategy_record().model_copy(update={"techniques": ("lora",)}), records / "strategy.json")
    learned = {"tuning": Lora(kind="lora", rank=8, alpha=16.0), "n_parameters": 1000, "n_trained_parameters": 19}
    write_record(training_record().model_copy(update={**learned, "delta_bytes": 1800}), records / "training.json")
    scores = {name: Interval(estimate=x, low=0, high=1) for name, x in (("before", 0.9), ("after", 0.75))}
    forgotten = GAIN.forgetting.model_copy(update={**scores, "n_images": 80})
    write_record(GAIN.model_copy(update={"forgetting": forgotten}), records / "gain.json")
    cli.main(["summary"])
    told = capsys.readouterr().out
    assert (
        "\nstrategy  full with LoRA, chosen by graft. Transfer was trained with LoRA, rank 8, alpha 16. It trains 1.9% "
        "of 1,000 parameters; its delta is 1.8 kB.\n"
    ) in told
    assert "\nsource    90.0% before tuning, 75.0% after, on 80 images of the source with the head that" in told


def test_summary_names_the_warnings_of_the_gate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model(folder, level="warn")
    cli.main(["summary"])
    assert "\ngate      passed, with warnings: verdict\n" in capsys.readouterr().out


def test_summary_begins_with_records_of_two_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model(folder)
    shutil.copy(ROOT / "dvc.yaml", folder)
    cli.main(["summary"])
    assert "mixed" not in capsys.readouterr().out
    write_record(verdict_record("NEGATIVE"), folder / "models" / "records" / "verdict.json")
    cli.main(["summary"])
    assert capsys.readouterr().out.splitlines()[1] == (
        "mixed     These records are of two runs: models/records/release.json was made from another "
        "models/records/verdict.json. Run `dvc repro` to its end."
    )


def test_summary_begins_with_a_stage_that_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _model(folder)
    write_whole(folder / FAILURE, b"prepare_data: data/raw: want images, got none.\n")
    cli.main(["summary"])
    assert capsys.readouterr().out.splitlines()[1] == (
        "failed    prepare_data: data/raw: want images, got none. What follows is of the last run that ended well."
    )
    write_whole(folder / FAILURE, b"gate_release: want a model fit for release, got a refusal.\n")
    cli.main(["summary"])
    assert "failed" not in capsys.readouterr().out


def test_summary_before_the_first_run_says_what_to_do(folder: Path) -> None:
    with pytest.raises(SystemExit, match=r"verdict\.json: want a VerdictRecord, got no file\. Run `dvc repro`"):
        cli.main(["summary"])


def _raw(folder: Path, dataset: str = "folders") -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("dataset: example", f"dataset: {dataset}"), encoding="utf-8")
    for number in range(5):
        path = folder / "data/raw/target" / ("dog" if number % 2 else "cat") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (number, 0, 0)).save(path)


def test_a_shard_is_made_once_and_its_path_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shards, "N_PER_SHARD", 2)
    _raw(folder)
    cli.main(["shard", "target", "2"])
    cli.main(["shard", "target", "2"])
    (made,) = (folder / "data/shards/target").glob("*.csv")
    assert [row.path for row in read_catalog(made)] == ["dog/3.png"]
    told = f"shard 2 of 0 to 2: {made.relative_to(folder)}\n"
    assert capsys.readouterr().out == told * 2


@pytest.mark.parametrize("index", ["3", "-1"])
def test_an_invalid_shard_is_an_error_that_tells_how_many_there_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    monkeypatch.setattr(shards, "N_PER_SHARD", 2)
    _raw(folder)
    with pytest.raises(SystemExit, match=rf"graft shard: want a number from 0 to 2, got {index}\. Choose"):
        cli.main(["shard", "target", index])


def test_a_shard_of_unlabelled_images_is_one_that_the_pipeline_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "N_PER_SHARD", 2)
    _raw(folder)
    with pytest.raises(SystemExit, match=r"want images in data/raw/target_unlabeled, got none"):
        cli.main(["shard", "unlabeled", "0"])
    for number in range(3):
        path = folder / f"data/raw/target_unlabeled/day{number}/1.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (40, 40), (0, number, 0)).save(path)
    cli.main(["shard", "unlabeled", "1"])
    (made,) = (folder / "data/shards/unlabeled").glob("*.csv")
    assert [(row.path, row.label) for row in read_catalog(made)] == [("day2/1.png", "")]
    params, raw = read_params(folder / "params.yaml"), folder / "data/raw"
    files = scan_raw(raw)
    read_as = target_preprocessing(raw, files, preprocessing_for(params.network, params.images))
    assert made.name == shards.shard_file(raw / "target_unlabeled", files.unlabeled[2:], made.parent, read_as).name


def test_the_example_has_no_shards(folder: Path) -> None:
    _raw(folder, "example")
    with pytest.raises(SystemExit, match=r"want `prepare_data.dataset: folders`, got example\. It is small"):
        cli.main(["shard", "target", "0"])


CARD = backbone_card(preprocessing=SMALL_CNN)


@pytest.fixture
def loose(folder: Path) -> Path:
    """A backbone of random weights, and a folder of 24 images at several depths, a copy, and a file that is none."""
    torch.manual_seed(0)
    save_network(
        build_network("small_cnn", 2, SMALL_CNN), "small_cnn", folder / "models/pretrained/backbone.safetensors"
    )
    write_record(CARD, folder / "models/pretrained/card.json")
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    rng = np.random.default_rng(0)
    for number in range(24):
        path = folder / "photos" / ("deep/er" if number % 2 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    shutil.copy(folder / "photos/0.png", folder / "photos/copy.png")
    (folder / "photos/bad.jpg").write_bytes(b"no image")
    return folder / "photos"


def _paste(told: str) -> Params:
    """params.yaml with the two lines that were told in place of those it has."""
    lines = re.findall(r"^  bank_(?:file|sha256): .*$", told, re.MULTILINE)
    text = Path("params.yaml").read_text(encoding="utf-8")
    for line in lines:
        text = re.sub(rf"^{line.split(':')[0]}: .*$", line, text, flags=re.MULTILINE)
    Path("params.yaml").write_text(text, encoding="utf-8")
    return read_params(Path("params.yaml"))


def test_a_bank_is_made_named_in_params_and_measured_against(loose: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["bank", str(loose), "--name", "My photos, 2024", "--licence", "CC BY 4.0"])
    told = capsys.readouterr().out
    assert told.startswith(
        "models/banks/My-photos-2024.npz: 25 images, 1 files that cannot be read left out. Put these"
    )
    params = _paste(told).measure_shift.model_copy(update={"n_permutations": 99})
    bank = read_bank(params, CARD)
    assert (bank.about.name, bank.about.licence) == ("My photos, 2024", "CC BY 4.0")
    assert len(np.unique(bank.side.groups)) == 24
    assert bank.side.features.shape == (25, 128)
    target = side_of(bank.side.features[:20] + 1, "b")
    origin = origin_of(nothing().side, nothing().details, CARD, params)
    blocks = [each._replace(means=each.means[:20]) for each in bank.details.blocks]
    record, points = measure(origin, target, target_details_of_side(target)._replace(blocks=tuple(blocks)), params, 0)
    assert record.source.kind == "proxy"
    assert record.test is not None
    assert record.test.bins == (24, 20)
    assert "Compared with the bank My photos, 2024 (25 images, CC BY 4.0)" in record.sentence
    assert sum(each.side == "source" for each in points) == 25


def test_the_same_folder_is_the_same_bank(loose: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for _ in range(2):
        cli.main(["bank", str(loose), "--name", "Photos", "--licence", "CC0"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert [each.name for each in Path("models/banks").iterdir()] == ["Photos.npz"]


def test_a_bank_before_the_first_run_says_what_to_do(loose: Path) -> None:
    shutil.rmtree("models/pretrained")
    with pytest.raises(SystemExit, match=r"card\.json: want a BackboneCard, got no file\. Run `dvc repro`"):
        cli.main(["bank", str(loose), "--name", "Photos", "--licence", "CC0"])


def test_a_bank_of_few_images_is_an_error(loose: Path) -> None:
    for number in range(1, 24):
        (loose / ("deep/er" if number % 2 else ".") / f"{number}.png").unlink()
    with pytest.raises(SystemExit, match=r"want at least 10 different images that can be read, got 1\. Add"):
        cli.main(["bank", str(loose), "--name", "Photos", "--licence", "CC0"])
    assert not Path("models/banks").exists()


def test_a_bank_of_a_missing_folder_is_an_error(loose: Path) -> None:
    with pytest.raises(SystemExit, match=r"none: want a folder with images \(.*\), got none\. Name another folder"):
        cli.main(["bank", "none", "--name", "Photos", "--licence", "CC0"])


def test_check_params_says_that_a_recipe_mirrors(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    cli.main(["check-params"])
    assert capsys.readouterr().err == ""
    mirrored = text.replace("augmentation: digits", "augmentation: photographs")
    (folder / "params.yaml").write_text(mirrored, encoding="utf-8")
    cli.main(["check-params"])
    assert "params.yaml, training.augmentation: Training mirrors images left to right" in capsys.readouterr().err


def test_names_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(summary, "summary", lambda: "verdict\nstrategy \x1b[2J")
    cli.main(["summary"])
    assert capsys.readouterr().out == "verdict\nstrategy \\x1b[2J\n"

    def fail() -> str:
        raise ValueError("data/raw/\x1b[2J: want x")

    monkeypatch.setattr(summary, "summary", fail)
    with pytest.raises(SystemExit, match=r"^data/raw/\\x1b\[2J: want x$"):
        cli.main(["summary"])
