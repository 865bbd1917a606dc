from pathlib import Path

import pytest

from graft.store.features import MapPoint, read_map, write_map

POINTS = (
    MapPoint("0123456789ab", "source", 'a "b", c', 1.23456789, -2.0),
    MapPoint("", "target", "", 0.0, 1e-9),
)
HOSTILE = MapPoint("0123456789ab", "source", "=1+1", -1.0, 0.0)


def test_points_come_back_with_four_decimals(tmp_path: Path) -> None:
    write_map(POINTS, tmp_path / "deep" / "map.csv")
    assert read_map(tmp_path / "deep" / "map.csv") == (POINTS[0]._replace(x=1.2346), POINTS[1]._replace(y=0.0))


def test_classes_that_look_like_formulas_are_quoted_and_numbers_are_not(tmp_path: Path) -> None:
    write_map((HOSTILE,), tmp_path / "map.csv")
    assert read_map(tmp_path / "map.csv") == (HOSTILE,)
    assert (tmp_path / "map.csv").read_text().splitlines()[1].endswith(",'=1+1,-1.0,0.0")


def test_an_empty_map_comes_back_empty(tmp_path: Path) -> None:
    write_map((), tmp_path / "map.csv")
    assert read_map(tmp_path / "map.csv") == ()


def test_an_absent_map_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"map\.csv: want the points of the map, got no file\. Run `dvc repro"):
        read_map(tmp_path / "map.csv")
