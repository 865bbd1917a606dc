import numpy as np
import pytest
from numpy.typing import NDArray
from tests.validation.samples import GREY_WEIGHTS, ON_COLOUR, domain, row

from graft.images.fingerprint import channel_statistics
from graft.store.catalogue import CatalogRow
from graft.validation.domains import OpenDomain
from graft.validation.looks import expected_looks, look_table

NO_SOURCE = domain("source", [])


def domain_of(name: str, images: NDArray[np.uint8]) -> OpenDomain:
    rows: list[CatalogRow] = []
    for place, image in enumerate(images):
        rows.append(row(f"train/cat/{place}", row=place, **channel_statistics(image)._asdict()))
    return OpenDomain(name, tuple(rows), images, "")  # type: ignore[arg-type]


def pictures(n: int = 40, darkest: int = 0, brightest: int = 255, grey: bool = False) -> NDArray[np.uint8]:
    """(n, 16, 16, 3) noise whose brightness and contrast vary between images."""
    rng = np.random.default_rng(3)
    middle = rng.uniform(darkest, brightest, (n, 1, 1, 3))
    spread = rng.uniform(5, 60, (n, 1, 1, 1))
    noise = np.clip(middle + spread * rng.standard_normal((n, 16, 16, 3)), 0, 255).astype(np.uint8)
    return noise[..., :1].repeat(3, axis=3) if grey else noise


def found(target: NDArray[np.uint8], column: str, source: NDArray[np.uint8] | None = None) -> tuple[str, float]:
    """Name and value of the target's row for a column, with weights made on the source, or else on colour."""
    other = NO_SOURCE if source is None else domain_of("source", source)
    expected = expected_looks(other, ON_COLOUR, made_on_source=source is not None)
    table = look_table([other, domain_of("target", target)], expected)
    rows = table[table[column].notna() & table["name"].str.startswith("target")]
    ((name, value),) = zip(rows["name"], rows[column], strict=True)
    return name, value


def test_the_share_of_grey_images_is_reported_if_the_weights_were_made_on_colour() -> None:
    half = np.concatenate([pictures(30), pictures(10, grey=True)])
    assert found(half, "grey") == ("target (25% of the images are grey)", 0.25)
    assert found(pictures(grey=True), "grey", source=pictures()) == ("target (all images are grey)", 1)
    nearly = np.concatenate([pictures(1), pictures(299, grey=True)])
    assert found(nearly, "grey")[0] == "target (99% of the images are grey)"


@pytest.mark.parametrize("made_on_source", [True, False])
def test_grey_images_are_right_if_the_weights_were_made_on_grey_ones(made_on_source: bool) -> None:
    source = domain_of("source", pictures(grey=True)) if made_on_source else NO_SOURCE
    expected = expected_looks(source, GREY_WEIGHTS, made_on_source=made_on_source)
    table = look_table([domain_of("target", pictures(grey=True))], expected)
    assert table["grey"].isna().all()


def test_negatives_of_a_dark_source_are_inverted() -> None:
    bright = 255 - pictures(brightest=90)
    name, inverted = found(bright, "inverted", source=pictures(brightest=90))
    assert inverted == 1
    assert name.startswith("target (mean brightness 0.8")
    assert "of the source 0.1" in name


def test_dark_images_of_a_dark_source_are_not_inverted() -> None:
    assert found(pictures(brightest=80), "inverted", source=pictures(brightest=90))[1] == 0


def test_bright_images_are_not_inverted_if_the_weights_were_made_on_all_kinds() -> None:
    assert found(pictures(darkest=200), "inverted")[1] == 0
    assert found(pictures(darkest=200), "inverted", source=pictures())[1] == 0


def test_whole_images_are_not_normalised() -> None:
    assert found(pictures(), "normalised") == ("target (whole images)", 0)


def test_images_made_to_the_same_mean_and_deviation_are_normalised() -> None:
    values = pictures().astype(np.float64)
    alike = (values - values.mean(axis=(1, 2, 3), keepdims=True)) / values.std(axis=(1, 2, 3), keepdims=True)
    name, normalised = found((alike * 40 + 128).clip(0, 255).astype(np.uint8), "normalised")
    assert (name, normalised) == ("target (all images have the same mean and deviation)", 1)


def test_images_of_values_0_to_1_saved_as_bytes_are_normalised() -> None:
    name, normalised = found(pictures() // 128, "normalised")
    assert normalised == 1
    assert "nearly black" in name


def test_dark_images_with_a_few_bright_dots_are_not_normalised() -> None:
    sky = np.zeros((40, 16, 16, 3), dtype=np.uint8)
    sky[:, 3, 5] = 255
    assert sky.mean() / 255 < 0.02
    # only some images get dots, so that their deviations differ
    sky[:20, 9:11, 9:11] = 200
    assert found(sky, "normalised")[1] == 0


def test_images_of_one_brightness_but_of_different_contrast_are_not_normalised() -> None:
    noise = np.random.default_rng(1).standard_normal((40, 16, 16, 3))
    noise -= noise.mean(axis=(1, 2), keepdims=True)
    images = 128 + noise * np.linspace(5, 35, 40)[:, None, None, None]
    assert found(images.round().astype(np.uint8), "normalised")[1] == 0


def test_standardised_images_clipped_to_bytes_are_normalised() -> None:
    values = (pictures(darkest=100, brightest=150).astype(np.float64) / 255 - 0.45) / 0.23 * 20
    name, normalised = found((values * 255).clip(0, 255).astype(np.uint8), "normalised")
    assert normalised == 1
    assert "of the pixels clipped in colour" in name


def test_line_drawings_of_black_and_white_are_not_normalised() -> None:
    rng = np.random.default_rng(0)
    lines = (rng.random((40, 16, 16, 1)) < rng.uniform(0.5, 0.95, (40, 1, 1, 1))).astype(np.uint8) * 255
    assert found(lines.repeat(3, axis=3), "normalised")[1] == 0


def test_a_few_images_are_not_checked() -> None:
    expected = expected_looks(NO_SOURCE, ON_COLOUR, made_on_source=False)
    assert look_table([domain_of("target", pictures(19))], expected).empty


@pytest.mark.parametrize(("brightest", "n_values"), [(63, 64), (255, 256)])
def test_the_values_from_the_darkest_to_the_brightest_are_counted(brightest: int, n_values: int) -> None:
    images = pictures() // (256 // (brightest + 1))
    images[0, 0, 0], images[1, 1, 1] = 0, brightest
    assert found(images, "n_values") == (f"target (values 0 to {brightest})", n_values)


def test_similar_images_of_one_scene_are_not_normalised() -> None:
    grain = np.random.default_rng(0).normal(0, 4, (40, 16, 16, 3))
    scene = np.clip(pictures(1)[0] + grain, 0, 255).astype(np.uint8)
    assert found(scene, "normalised") == ("target (whole images)", 0)


def test_different_bits_in_use_in_the_two_domains_are_reported() -> None:
    for bits, other in ((12, 0), (16, 1)):
        domains = [
            domain_of("source", pictures())._replace(value_bits=12),
            domain_of("target", pictures())._replace(value_bits=bits),
        ]
        table = look_table(domains, expected_looks(NO_SOURCE, ON_COLOUR, made_on_source=False)).dropna(
            subset="other_bits"
        )
        assert list(table["other_bits"]) == [other]
        assert list(table["name"]) == [f"12 bits in the source and {bits} bits in the target"]
