"""graft: take a pretrained model to your own images, and prove that it helped."""

__version__ = "0.1.0"
