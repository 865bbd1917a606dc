from graft.images import resizing
from graft.validation import rules


def test_validation_warns_of_the_images_whose_ends_the_resize_cuts() -> None:
    assert rules.MAX_ASPECT == resizing.MAX_ASPECT
