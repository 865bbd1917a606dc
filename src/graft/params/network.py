"""The sections `network` and `images`: the backbone, and how images are made ready for it."""

from typing import Literal

from pydantic import Field, model_validator

from graft.params.section import Section

Head = Literal["linear", "mlp"]
# keys of params.yaml behind the arguments that networks and training name in errors
NETWORK_KEYS = {
    "name": "network.name",
    "weights": "network.weights",
    "weights_file": "network.weights_file",
    "weights_sha256": "network.weights_sha256",
    "size_px": "images.size_px",
    "images": "images.size_px",
}
PRETRAINING_KEYS = {**NETWORK_KEYS, "batch_size": "pretrain_source.batch_size"}
ARM_KEYS = {**NETWORK_KEYS, "batch_size": "training.batch_size", "views": "finetune_target.views"}


class NetworkParams(Section):
    """The backbone and where its weights come from."""

    name: str = Field(examples=["small_cnn"])
    """the network: small_cnn, or a torchvision name such as resnet18 or mobilenet_v2"""
    weights: str = Field(examples=["pretrain"])
    """pretrain (on the source images), file, or a torchvision weight name such as IMAGENET1K_V1"""
    weights_file: str | None = None
    """path of a state dict of this network, with `weights: file`; else null"""
    weights_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """sha256 of that file, 64 hex digits, with `weights: file`; else null"""

    @model_validator(mode="after")
    def _file_and_hash_belong_to_weights_file(self) -> "NetworkParams":
        given = [self.weights_file, self.weights_sha256]
        if self.weights == "file" and None in given:
            raise ValueError(
                f"want weights_file and weights_sha256 with `weights: file`, got {given[0]} and {given[1]}. "
                "Give the path of the state dict and what `sha256sum` prints for it."
            )
        if self.weights != "file" and given != [None, None]:
            want = f"want weights_file and weights_sha256 null with `weights: {self.weights}`"
            raise ValueError(f"{want}, got {given[0]} and {given[1]}. Set them to null, or set `weights: file`.")
        return self

    @model_validator(mode="after")
    def _small_cnn_is_never_published(self) -> "NetworkParams":
        if self.name == "small_cnn" and self.weights != "pretrain":
            raise ValueError(
                f"want `weights: pretrain` with small_cnn, got {self.weights!r}. "
                "Published weights exist for torchvision networks, such as `name: resnet18`."
            )
        return self


class Images(Section):
    """How images are made ready for the network."""

    size_px: int | None = Field(ge=16, le=1024, examples=[32])
    """side of the square crop in pixels, 16 to 1024; null: the size that the weights were trained at"""
    value_bits: int | None = Field(default=None, ge=1, le=16)
    """bits in use, 1 to 16, in grey files of 16 bits, such as 12 for many cameras; null: recognised from all files"""
    max_megapixels: int = Field(ge=1, le=100, examples=[25])
    """size of the largest picture that the pipeline and the service read, in millions of pixels, 1 to 100; the
    service's memory grows with it"""
