"""What prepare_data found in the folders, and how it used it: data/records/catalog.json."""

from typing import Literal

from graft.records.common import LabelsFrom, Preprocessing, Record, Split


class Quarantined(Record):
    """An image file that cannot be read. It is listed in the catalogue and used nowhere else."""

    path: str
    """path relative to the folder of the domain"""
    reason: str


class LeftOut(Record):
    """Files that are ignored because of their names, or because no table gives them a label."""

    kind: Literal["hidden", "system_folder", "system_file", "unlabelled"]
    """hidden: the name begins with a dot; system: made by an operating system, a disk station or an archiver"""
    n_files: int
    """number of files; of hidden files, only those with the suffix of an image count"""
    paths: tuple[str, ...]
    """the first 10 files, or folders with all that they contain, relative to the folder of the domain"""


class Domain(Record):
    """The images of one domain: source, target, or the target's images without labels."""

    present: bool
    n_images: int
    n_undecodable: int
    classes: tuple[str, ...]
    """empty for images without labels"""
    counts: dict[Split, dict[str, int]]
    """number of readable images by split and class; images without labels are in no class"""
    sha256: str
    """hash of the paths, labels, splits, groups and image hashes of the catalogue"""
    store_sha256: str
    """hash of the file of the image store, as `sha256sum` prints it"""
    quarantine: tuple[Quarantined, ...]
    """the first 1,000 files by path that cannot be read; `n_undecodable` counts all of them"""
    value_bits: int | None = None
    """number of bits in use in 16-bit grey files, detected or given by images.value_bits; null without such files"""
    left_out: tuple[LeftOut, ...] = ()
    """files among the images that are ignored"""
    table_doubts: tuple[str, ...] = ()
    """likely mistakes in the table of labels, one sentence each"""


class CatalogRecord(Record):
    """What prepare_data found and wrote: data/records/catalog.json."""

    schema_version: Literal[3] = 3
    dataset: Literal["example", "folders"]
    preprocessing: Preprocessing
    source: Domain
    target: Domain
    unlabeled: Domain
    """images of the target without labels, all of them in train; not present if there are none"""
    labels_from: LabelsFrom = "target"
    """the domain whose labels both arms learn from: the source where the target has no labelled train image"""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that both arms tell apart; the number of a class is its index here."""
        return self.target.classes if self.labels_from == "target" else self.source.classes
