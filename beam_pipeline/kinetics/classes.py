"""What a class is called on disk, and what stands in where no class is stated."""

UNLABELLED_ID = -1
"""The label id of a clip without a label."""

UNLABELLED_FOLDER = "unlabelled"
"""The class folder of a clip without a label."""

OFFICIAL_CLASS_COUNTS = (400, 600, 700)
"""How many classes the releases of Kinetics have."""


def class_folder(label: str | None) -> str:
    """The folder of a class: no spaces, because trainers split their lists at them."""
    return UNLABELLED_FOLDER if label is None else label.replace(" ", "_")
