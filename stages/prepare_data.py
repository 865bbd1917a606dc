"""Read every image once into a catalogue and an image store, for source, target and unlabelled images of the target.

Reads   params.yaml; source, target and target_unlabeled in data/raw, or nothing for the built-in example
Writes  the example's images, three catalogues (CSV), three image stores (.npy), a CatalogRecord and its Preprocessing
Run     dvc repro prepare_data
"""

from collections.abc import Sequence

from graft import stage
from graft.files import write_record
from graft.networks.preprocessing import preprocessing_for
from graft.params.errors import said_as_keys
from graft.params.network import NETWORK_KEYS
from graft.params.pipeline import read_params
from graft.preparation.example import write_example
from graft.preparation.found import FOLDERS
from graft.preparation.prepare import PrepareSettings, prepare
from graft.preparation.raw import scan_raw, target_preprocessing
from graft.preparation.shards import SHARDS
from graft.records.catalog import CatalogRecord
from graft.store.catalogue import labels_from, write_catalog

CATALOGS = ("source-catalog", "target-catalog", "unlabeled-catalog")
IMAGES = ("source-images", "target-images", "unlabeled-images")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    args = stage.arguments(__doc__, ("params", "raw", "example", *CATALOGS, *IMAGES, "record", "preprocessing"), argv)
    params = read_params(args.params)
    dataset = params.prepare_data.dataset
    with said_as_keys(NETWORK_KEYS):
        preprocessing = preprocessing_for(params.network, params.images)
    with stage.whole_folder(args.example) as folder:
        (folder / "README.md").write_text("The built-in example, if params.yaml asks for it.\n")
        if dataset == "example":
            write_example(folder, params.seed)
    raw = args.example if dataset == "example" else args.raw
    files = scan_raw(raw)
    of_target = target_preprocessing(raw, files, preprocessing)
    read_by = {"source": preprocessing, "target": of_target, "unlabeled": of_target}
    made = {}
    for name, below in FOLDERS.items():
        settings = PrepareSettings(read_by[name], params.prepare_data, params.seed)
        paths = getattr(args, f"{name}_images"), SHARDS / name
        made[name] = prepare(raw / below, getattr(files, name), *paths, settings)
    for name, of_domain in made.items():
        write_catalog(of_domain.rows, getattr(args, f"{name}_catalog"))
    domains = {name: each.domain for name, each in made.items()}
    whose = labels_from(made["target"].rows)
    # the service is sent images of the target
    ours = preprocessing.model_copy(update={"value_bits": of_target.value_bits or domains["target"].value_bits})
    # apart, so that the control does not depend on the source
    write_record(ours, args.preprocessing)
    write_record(CatalogRecord(dataset=dataset, preprocessing=ours, labels_from=whose, **domains), args.record)


if __name__ == "__main__":
    stage.run(main)
