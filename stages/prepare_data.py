"""Read every image once into a catalogue and an image store, for source and target.

Reads   params.yaml; data/raw/source and data/raw/target, or nothing for the built-in example
Writes  the example's images, two catalogues (CSV), two image stores (.npy), a CatalogRecord (JSON)
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
from graft.preparation.prepare import PrepareSettings, prepare
from graft.preparation.scan import scan, scan_optional
from graft.preparation.shards import SHARDS
from graft.records.catalog import CatalogRecord
from graft.store.catalogue import write_catalog

INPUTS = ("params", "raw")
OUTPUTS = ("example", "source-catalog", "target-catalog", "source-images", "target-images", "record")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    args = stage.arguments(__doc__, INPUTS + OUTPUTS, argv)
    params = read_params(args.params)
    dataset = params.prepare_data.dataset
    with said_as_keys(NETWORK_KEYS):
        preprocessing = preprocessing_for(params.network, params.images)
    settings = PrepareSettings(preprocessing, params.prepare_data, params.seed)

    with stage.whole_folder(args.example) as folder:
        (folder / "README.md").write_text("The built-in example, if params.yaml asks for it.\n")
        if dataset == "example":
            write_example(folder, params.seed)
    raw = args.example if dataset == "example" else args.raw
    target, source = raw / "target", raw / "source"
    target_files, source_files = scan(target), scan_optional(source)
    of_target = prepare(target, target_files, args.target_images, SHARDS / "target", settings)
    of_source = prepare(source, source_files, args.source_images, SHARDS / "source", settings)

    write_catalog(of_target.rows, args.target_catalog)
    write_catalog(of_source.rows, args.source_catalog)
    domains = {"source": of_source.domain, "target": of_target.domain}
    # the service is sent images of the target
    ours = preprocessing.model_copy(update={"value_bits": of_target.domain.value_bits})
    write_record(CatalogRecord(dataset=dataset, preprocessing=ours, **domains), args.record)


if __name__ == "__main__":
    stage.run(main)
