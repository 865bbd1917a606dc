"""What lies in the folders and what became of it: data/records/catalog.json."""

from typing import Literal

from graft.records.common import Preprocessing, Record, Split


class Quarantined(Record):
    """An image file that cannot be read: it stays in the catalogue and takes part in nothing else."""

    path: str
    """relative to the folder of the domain"""
    reason: str


class LeftOut(Record):
    """Files that are left out because of their names, or because no table gives them a label."""

    kind: Literal["hidden", "system_folder", "system_file", "unlabelled"]
    """hidden: with a dot before the name; system: of an operating system, disk station or archiver"""
    n_files: int
    """of hidden ones, those that an image's suffix marks"""
    paths: tuple[str, ...]
    """files, and folders with all that lies below, the first 10, relative to the folder of the domain"""


class Domain(Record):
    """The images of one side, source or target."""

    present: bool
    n_images: int
    n_undecodable: int
    classes: tuple[str, ...]
    counts: dict[Split, dict[str, int]]
    """readable images by split and class"""
    sha256: str
    """of the catalogue's paths, labels, splits, groups and image hashes"""
    store_sha256: str
    """of the image store's file, as `sha256sum` prints it"""
    quarantine: tuple[Quarantined, ...]
    """files that cannot be read, the first 1,000 by path; n_undecodable counts all of them"""
    value_bits: int | None = None
    """bits in use of grey files that hold 16: recognised, or images.value_bits; null: there are no such files"""
    left_out: tuple[LeftOut, ...] = ()
    """what lies among the images and takes part in nothing"""
    table_doubts: tuple[str, ...] = ()
    """what looks like a mistake in the table of labels, a sentence each"""


class CatalogRecord(Record):
    """What prepare_data found and made: data/records/catalog.json."""

    schema_version: Literal[2] = 2
    dataset: Literal["example", "folders"]
    preprocessing: Preprocessing
    source: Domain
    target: Domain
