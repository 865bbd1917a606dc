"""The graph that ships: uint8 RGB images in; logits, probabilities and features out; the input transform inside."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from graft.networks.networks import Network

OUTPUTS = ("logits", "probabilities", "features")
OPSET = 20
MOST_BYTES_INSIDE = 1_500_000_000
"""of weights in the ONNX file itself: protobuf ends at 2 GiB, and torch's exporter puts them elsewhere from 1.5 GiB"""


class Shipped(nn.Module):
    """A network with the axes of an image file and the three outputs that ship.

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
    """Write the graph with a free batch axis, and its weights inside or, where they are too large, in a file beside it.

    Args:
        network: what ships.
        path: of the graph, such as model.onnx; then the weights are in model.onnx.data.

    Raises:
        RuntimeError: torch cannot export the network.
    """
    shipped, size_px = Shipped(network.cpu().eval()).eval(), network.preprocessing.crop_px
    # Two images, not one: an axis of size 1 would be taken for a constant.
    example = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
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
    """Names of the files beside an ONNX file that hold its weights, sorted; none where it holds them itself."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(path, load_external_data=False).graph.initializer
    return sorted({str(ExternalDataInfo(each).location) for each in tensors if uses_external_data(each)})


def _strip_traces(path: Path) -> None:
    """Take out the exporter's stack traces: they name folders of this machine and change the file's hash."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del part.metadata_props[:]
    onnx.save(model, path)
