"""Train a step on WebDataset shards; needs ``pip install torch webdataset av``.

Type ``python examples/train_on_shards.py 'k400-256/webdataset/train-{000000..000009}.tar'``.
"""

import io
import itertools
import sys

import av
import numpy as np
import torch
import webdataset as wds


def frames(clip: bytes) -> torch.Tensor:
    """The first 8 frames of a clip: channels, frames, rows, columns, from 0 to 1."""
    with av.open(io.BytesIO(clip)) as file:
        first = itertools.islice(file.decode(video=0), 8)
        pictures = [frame.to_ndarray(width=112, height=112, format="rgb24") for frame in first]
    return torch.from_numpy(np.stack(pictures)).permute(3, 0, 1, 2) / 255


shards = wds.WebDataset(sys.argv[1], shardshuffle=100).shuffle(100)
clips = shards.to_tuple("mp4", "cls").map_tuple(frames, int)
model = torch.nn.Sequential(
    torch.nn.Conv3d(3, 16, 3), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(),
    torch.nn.Linear(16, 710),
)  # fmt: skip
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
pictures, label_ids = next(iter(torch.utils.data.DataLoader(clips, batch_size=4)))
loss = torch.nn.functional.cross_entropy(model(pictures), label_ids)
loss.backward()
optimizer.step()
print(f"a step on {tuple(pictures.shape)}, labels {label_ids.tolist()}: loss {loss:.3f}")
