"""The stage gather_companions on small catalogues, and what runs again after a change of the source."""

import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvc.utils.serialize import dumps_yaml
from tests.clone import changed, dvc, rerun
from tests.examples import catalog_row, write_stamp
from tests.house import ROOT
from tests.transfer.conftest import tiny_params

from graft.store.catalogue import SPLITS, CatalogRow, open_images, read_catalog, write_catalog
from graft.yaml_files import read_yaml

MAIN = runpy.run_path(str(ROOT / "stages/gather_companions.py"))["main"]
NAMES = ("labelled", "source", "unlabeled")
DAN = {"kind": "dan", "strength": 1.0, "blocks": ["block4"]}


def lay(folder: Path, **changes: Any) -> Path:
    """What the stages before leave: three domains of a few images each, and params with these values of the arm."""
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    labelled = [(split, label) for split in SPLITS for label in ("cat", "dog")]
    domains: dict[str, list[CatalogRow]] = {
        name: [catalog_row(f"{name}/{n}", label=label, split=split, row=n) for n, (split, label) in enumerate(labelled)]
        for name in ("source", "target")
    }
    domains["unlabeled"] = [catalog_row(f"unlabeled/{n}", label="", row=n) for n in range(5)]
    for place, (name, rows) in enumerate(domains.items()):
        write_catalog(rows, folder / f"{name}.csv")
        np.save(folder / f"{name}.npy", images[place : place + len(rows)])
    params = tiny_params(finetune_target=changes)
    (folder / "params.yaml").write_text(dumps_yaml(params.model_dump(mode="json")), encoding="utf-8")
    write_stamp(folder)
    return folder


def run(folder: Path) -> dict[str, int]:
    """Run the stage; the number of images of each store that it wrote, which its catalogue has too."""
    options = {"params": "params.yaml", "stamp": "validated.json", "companions": "companions"}
    options |= {f"{name}-catalog": f"{name}.csv" for name in ("source", "target", "unlabeled")}
    options |= {f"{name}-images": f"{name}.npy" for name in ("source", "unlabeled")}
    MAIN([part for name, path in options.items() for part in (f"--{name}", str(folder / path))])
    made = folder / "companions"
    assert sorted(each.name for each in made.iterdir()) == sorted(
        f"{n}.{kind}" for n in NAMES for kind in ("csv", "npy")
    )
    n_images = {name: len(open_images(made / f"{name}.npy")) for name in NAMES}
    assert n_images == {name: len(read_catalog(made / f"{name}.csv")) for name in NAMES}
    return n_images


def test_it_is_written_with_zero_rows_where_no_technique_reads_anything(tmp_path: Path) -> None:
    assert run(lay(tmp_path)) == {"labelled": 0, "source": 0, "unlabeled": 0}


def test_adapting_gets_train_images_of_the_source_and_all_unlabelled_ones(tmp_path: Path) -> None:
    assert run(lay(tmp_path, adapting=DAN)) == {"labelled": 0, "source": 2, "unlabeled": 5}
    np.testing.assert_array_equal(
        open_images(tmp_path / "companions/unlabeled.npy"), open_images(tmp_path / "unlabeled.npy")
    )
    first = {each.name: each.read_bytes() for each in (tmp_path / "companions").iterdir()}
    run(tmp_path)
    assert {each.name: each.read_bytes() for each in (tmp_path / "companions").iterdir()} == first


def test_a_catalogue_that_was_not_judged_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, adapting=DAN)
    (tmp_path / "unlabeled.csv").write_text((tmp_path / "unlabeled.csv").read_text().replace("unlabeled/0", "other/0"))
    with pytest.raises(RuntimeError, match=r"want the judgement of .+unlabeled\.csv, got that of another catalogue"):
        run(tmp_path)
    assert not (tmp_path / "companions").exists()


@pytest.fixture
def small_pipeline(tmp_path: Path) -> Path:
    """The wiring of gather_companions and finetune_target, the second only writing that it ran; both have run."""
    wiring = read_yaml(ROOT / "dvc.yaml")["stages"]
    gather = {key: wiring["gather_companions"][key] for key in ("cmd", "deps", "params", "outs")}
    deps = [each for each in wiring["finetune_target"]["deps"] if each.startswith("data/")]
    arm = {"cmd": "date > trained.txt", "deps": deps, "params": ["finetune_target"], "outs": ["trained.txt"]}
    (tmp_path / "dvc.yaml").write_text(dumps_yaml({"stages": {"gather_companions": gather, "finetune_target": arm}}))
    shutil.copytree(ROOT / "src", tmp_path / "src")
    for name in ("stages", "data/catalogs", "data/store", "data/features", "data/records"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy2(ROOT / "stages/gather_companions.py", tmp_path / "stages")
    (tmp_path / "data/features/target.npy").touch()
    assert dvc(tmp_path, "init", "--no-scm", "-q").returncode == 0
    return tmp_path


def put(folder: Path) -> None:
    """Move what `lay` wrote to where the wiring wants it, with both stamps."""
    for name in ("source", "target", "unlabeled"):
        (folder / f"{name}.csv").replace(folder / f"data/catalogs/{name}.csv")
        (folder / f"{name}.npy").replace(folder / f"data/store/{name}.npy")
    text = (folder / "validated.json").read_text()
    (folder / "validated.json").replace(folder / "data/records/validated.json")
    target = re.sub(r'\n  "(source|unlabeled)": "\w+",?', "", text).replace(",\n }", "\n }")
    (folder / "data/records/validated_target.json").write_text(target)


def change_source(folder: Path) -> None:
    """Another first image of the source, judged anew."""
    rows = list(read_catalog(folder / "data/catalogs/source.csv"))
    images = np.array(open_images(folder / "data/store/source.npy"))
    images[rows[0].row] += 1
    rows[0] = rows[0]._replace(sha256="f" * 64)
    for name in ("target", "unlabeled"):
        shutil.copy2(folder / f"data/catalogs/{name}.csv", folder / f"{name}.csv")
        shutil.copy2(folder / f"data/store/{name}.npy", folder / f"{name}.npy")
    write_catalog(rows, folder / "source.csv")
    np.save(folder / "source.npy", images)
    write_stamp(folder)
    put(folder)


@pytest.mark.parametrize(
    ("changes", "again"), [({}, ["gather_companions"]), ({"adapting": DAN}, ["gather_companions", "finetune_target"])]
)
def test_a_changed_image_of_the_source_trains_the_arm_again_only_where_a_technique_reads_it(
    small_pipeline: Path, changes: dict[str, Any], again: list[str]
) -> None:
    put(lay(small_pipeline, **changes))
    assert rerun(dvc(small_pipeline, "repro")) == ["gather_companions", "finetune_target"]
    assert changed(small_pipeline) == set()
    change_source(small_pipeline)
    assert rerun(dvc(small_pipeline, "repro")) == again
