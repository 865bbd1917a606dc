from graft.preparation.found import Found, absent_classes


def test_splits_that_lack_classes_are_listed_with_all_of_them() -> None:
    found = [Found("1", "cat", "train"), Found("2", "dog", "train"), Found("3", "elk", "val"), Found("4", "dog", "val")]
    assert absent_classes(found) == (("train", ("elk",)), ("val", ("cat",)))


def test_without_named_splits_none_lacks_a_class() -> None:
    assert absent_classes([Found("1", "cat", None), Found("2", "dog", None)]) == ()
