"""The graph as runners get it: what Java's runners refuse is seen here, without Java.

Flink joins inputs only if their encoded elements have one type, and every runner groups by the
encoded key.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2

from beam_pipeline import pipeline
from beam_pipeline.config import Config

OPTIONS = {
    "annotated": {"annotations": "a", "videos": "v"},
    "without annotations": {"videos": "v"},
    "listed": {"annotations": "a", "videos": "v", "resize": "false"},
    "a part": {"annotations": "a", "videos": "v", "shard": "1/2"},
    "fetched": {"annotations": "a", "fetch": "youtube"},
    "limited": {"annotations": "a", "videos": "v", "limit": 3},
    "limited without annotations": {"videos": "v", "limit": 3},
    "excluded": {"annotations": "a", "videos": "v", "exclude_annotations": "b"},
    "sampled": {"annotations": "a", "videos": "v", "limit_per_class": 3, "limit": 5},
    "a part of a sample": {"annotations": "a", "videos": "v", "limit_per_class": 3, "shard": "1/2"},
    "in Hugging Face's list": {"annotations": "a", "videos": "v", "list_format": "huggingface"},
    "several": {"annotations": ["a", "b"], "videos": ["v", "w/a.tar", "w/b.mp4", "w/c.tar", "x"]},
    "packed": {"annotations": "a", "videos": "v", "list_format": "webdataset"},
    "data set": {"dataset": "kinetics400"},
    "data set of one split": {"dataset": "kinetics700_2020", "splits": "val"},
    "merged data set": {"dataset": "kinetics710"},
    "merged data set from outputs": {
        "dataset": "kinetics710",
        "videos": ["a", "b", "c"],
        "resize": "false",
    },
}

KNOWN_TO_ALL = {
    common_urns.primitives.IMPULSE.urn,
    common_urns.primitives.PAR_DO.urn,
    common_urns.primitives.FLATTEN.urn,
    common_urns.primitives.GROUP_BY_KEY.urn,
}
"""The primitive transforms of a batch job that Flink and Spark run."""

KEYS = {
    common_urns.coders.BYTES.urn, common_urns.coders.STRING_UTF8.urn, common_urns.coders.VARINT.urn,
    common_urns.coders.KV.urn, "beam:coder:tuple:v1",
}  # fmt: skip
"""Coders whose bytes are equal for equal keys, in whatever process they are encoded."""

Components = beam_runner_api_pb2.Components
Transform = beam_runner_api_pb2.PTransform


@pytest.fixture(scope="module", params=OPTIONS)
def graph(request: pytest.FixtureRequest) -> Components:
    """The graph for some options, as it is sent to a runner."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config.from_flags(output=str(Path(folder) / "o"), **OPTIONS[request.param])
        job = beam.Pipeline()
        pipeline.build(job, config)
        return job.to_runner_api().components


def coder_of(graph: Components, collection: str) -> str:
    """A collection's coder, as comparable text."""
    return _spelled(graph, graph.pcollections[collection].coder_id)


def _spelled(graph: Components, coder_id: str) -> str:
    coder = graph.coders[coder_id]
    parts = ", ".join(_spelled(graph, each) for each in coder.component_coder_ids)
    return f"{coder.spec.urn}[{coder.spec.payload.hex()}]({parts})"


def _parts(graph: Components, coder_id: str) -> Iterator[str]:
    """The URNs of a coder and of its parts."""
    coder = graph.coders[coder_id]
    yield coder.spec.urn
    for part in coder.component_coder_ids:
        yield from _parts(graph, part)


def transforms(graph: Components, *urns: str) -> list[Transform]:
    found = [each for each in graph.transforms.values() if each.spec.urn in urns]
    assert found
    return found


def test_every_flatten_joins_collections_of_one_coder(graph: Components) -> None:
    for flatten in transforms(graph, common_urns.primitives.FLATTEN.urn):
        collections = [*flatten.inputs.values(), *flatten.outputs.values()]
        assert len({coder_of(graph, each) for each in collections}) == 1, flatten.unique_name


def test_every_key_is_encoded_alike_everywhere(graph: Components) -> None:
    for grouped in transforms(graph, common_urns.primitives.GROUP_BY_KEY.urn):
        (collection,) = grouped.inputs.values()
        coder = graph.coders[graph.pcollections[collection].coder_id]
        assert coder.spec.urn == common_urns.coders.KV.urn, grouped.unique_name
        key = coder.component_coder_ids[0]
        if not _is_void(graph, collection):
            assert {*_parts(graph, key)} <= KEYS, grouped.unique_name


def _is_void(graph: Components, collection: str) -> bool:
    """Whether all elements have the key None, as Beam gives it to what it combines globally."""
    makers = [each for each in graph.transforms.values() if collection in each.outputs.values()]
    return any(each.unique_name.endswith("/KeyWithVoid") for each in makers)


def test_every_stage_is_of_a_kind_that_all_runners_know(graph: Components) -> None:
    primitives = [
        each
        for each in graph.transforms.values()
        if not each.subtransforms and {*each.outputs.values()} - {*each.inputs.values()}
    ]
    assert {each.spec.urn for each in primitives} <= KNOWN_TO_ALL
    for par_do in transforms(graph, common_urns.primitives.PAR_DO.urn):
        payload = beam_runner_api_pb2.ParDoPayload.FromString(par_do.spec.payload)
        assert not payload.state_specs, par_do.unique_name
        assert not payload.timer_family_specs, par_do.unique_name
        assert not payload.restriction_coder_id, par_do.unique_name


def test_everything_is_in_one_window(graph: Components) -> None:
    for strategy in graph.windowing_strategies.values():
        assert strategy.window_fn.urn == "beam:window_fn:global_windows:v1"
