"""A split's lists, in the dialect of every trainer that is asked for."""


def write_lists(split: Split, config: Config) -> None:
    """Write a split's lists, in every dialect asked for, of the clips in its manifest that exist.

    Raises:
        InputError: a trainer would misread one.
        OutputError: one cannot be written, or is not read back as it was written.
    """
    output = config.output
    clips = _listed(output, [f"{MANIFESTS}/{split}.parquet"])
    entries = [(config.listed_path(clip.path, clip.source), clip.label_id) for clip in clips]
    for dialect in config.dialects():
        relative = f"{LISTS}/{dialect.name}/{split}.csv"
        if dialect.name == SLOWFAST:
            relative = f"{split}.csv"
        output.write_if_new(relative, dialect.write(entries).encode())
        if dialect.misreads(files.read(output.url(relative)).decode(), entries):
            raise OutputError(
                f"{output.url(relative)} is not what was written there; run the same command again"
            )
    if TORCHVISION in config.list_formats:
        link_classes(split, clips, output)
