from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from tests.examples import catalog_row

from graft.images.duplicates.chains import Chain, chains, connected
from graft.store.catalogue import CatalogRow


def rows_of(n: int, label: str = "cat", name: str = "") -> list[CatalogRow]:
    return [catalog_row(f"{label}/{place}{name}", label=label, row=place) for place in range(n)]


def chain_of(*places: int) -> NDArray[np.int64]:
    return np.array(list(pairwise(places)), dtype=np.int64).reshape(-1, 2)


def test_a_chain_through_more_than_a_tenth_of_a_class_is_found_with_all_its_pairs() -> None:
    pairs = np.concatenate([chain_of(*range(7)), chain_of(20, 21)])
    found = chains(rows_of(60), pairs)
    assert found.pairs.tolist() == [True] * 6 + [False]
    assert found.classes == (Chain("cat", 7, 60),)


def test_a_tenth_of_a_class_and_five_images_are_copies() -> None:
    assert not chains(rows_of(60), chain_of(*range(6))).pairs.any()
    assert not chains(rows_of(10), chain_of(*range(5))).pairs.any()
    assert chains(rows_of(10), chain_of(*range(6))).pairs.all()


def test_a_chain_across_two_classes_counts_in_each() -> None:
    rows = [*rows_of(20), *rows_of(100, "dog")]
    found = chains(rows, chain_of(0, 1, 2, 20, 21, 22))
    assert found.pairs.all()
    assert found.classes == (Chain("cat", 3, 20),)


def test_many_equal_files_are_one_image() -> None:
    copies = [row._replace(sha256="5" * 64) for row in rows_of(8)]
    others = rows_of(8, name="other")
    assert not chains([*copies, *others], chain_of(*range(8))).pairs.any()
    assert chains([*copies, *others], chain_of(0, *range(8, 14))).classes == (Chain("cat", 7, 9),)


def test_no_images_and_no_pairs_have_no_chain() -> None:
    assert chains([], chain_of()).classes == ()
    assert chains(rows_of(3), chain_of()).pairs.shape == (0,)


def test_a_component_is_named_by_its_smallest_position() -> None:
    assert connected(6, [(4, 5), (1, 3), (3, 5)]) == [0, 1, 2, 1, 1, 1]


def test_images_that_were_not_compared_count_for_the_size_of_their_class() -> None:
    """A class is not small because few of its images are in test."""
    source, test, rest = rows_of(1000, "source/cat"), rows_of(9, "target/cat"), rows_of(60, "target/cat", "rest")
    pairs = np.array([[place, 1000] for place in range(5)])
    assert chains([*source, *test], pairs).pairs.all()
    assert not chains([*source, *test], pairs, rest).pairs.any()
