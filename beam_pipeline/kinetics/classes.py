"""Folder names of classes, and the stand-ins for a missing class."""

UNLABELLED_ID = -1
"""The label id of a clip without a label."""

UNLABELLED_FOLDER = "unlabelled"
"""The class folder of a clip without a label."""

OFFICIAL_CLASS_COUNTS = (400, 600, 700)
"""The number of classes in the releases of Kinetics."""


def class_folder(label: str | None) -> str:
    """The folder of a class. It has no spaces, because trainers split their lists at spaces."""
    return UNLABELLED_FOLDER if label is None else label.replace(" ", "_")
