"""The graph that ships: from uint8 RGB images to logits, probabilities and features."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from graft.networks.networks import Network

OUTPUTS = ("logits", "probabilities", "features")
OPSET = 20
# largest size of weights within the ONNX file: protobuf ends at 2 GiB, and torch's exporter writes weights to another
# file from 1.5 GiB on
MOST_BYTES_INSIDE = 1_500_000_000


class Shipped(nn.Module):
    """A network with channels last in its input, as decoded images have them, and the three outputs that ship.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, c), probabilities (n, c) and features (n, d) of (n, s, s, 3) uint8 images."""
        # (n, s, s, 3) to (n, 3, s, s)
        features = self.network.features(image.permute(0, 3, 1, 2))
        logits = self.network.head(features)
        return logits, logits.softmax(dim=1), features


def export_onnx(network: Network, path: Path) -> None:
    """Write the graph with a free batch axis; weights that are too large for it go to a second file.

    Args:
        network: network that ships, with its input transform.
        path: of the graph, such as model.onnx; the second file is then model.onnx.data.

    Raises:
        RuntimeError: torch cannot export the network.
    """
    shipped, size_px = Shipped(network.cpu().eval()).eval(), network.preprocessing.crop_px
    # two images, because the exporter would take an axis of size 1 for a constant
    example = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch's exporter warns of its own internals
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            shipped,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: "batch"},),
            input_names=["image"],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError(f"{path}: want an ONNX program, got none from torch. Report the network's name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    n_bytes = sum(value.numel() * value.element_size() for value in shipped.state_dict().values())
    program.save(path, external_data=n_bytes > MOST_BYTES_INSIDE)
    _strip_traces(path)


def data_files(path: Path) -> list[str]:
    """Sorted names of the files beside an ONNX file that hold its weights; empty where it holds them itself."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(path, load_external_data=False).graph.initializer
    return sorted({str(ExternalDataInfo(each).location) for each in tensors if uses_external_data(each)})


def _strip_traces(path: Path) -> None:
    """Remove the exporter's stack traces, which name folders of this machine and change the hash of the file."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del part.metadata_props[:]
    onnx.save(model, path)
