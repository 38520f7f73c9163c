"""Starts the command from a process that has imported it already.

Python takes longer to import Beam than the program takes for a small data set. So one process
imports all of it, and for every start forks a child, which runs ``python -m beam_pipeline`` in
its own process, with its own output, environment and exit status. What only a fresh
interpreter shows is tested with ``run_anew``.

In the same way another process forks the children that hold the codecs, for commands that nobody
kills. Others start these children themselves, in their own session.
"""

import atexit
import functools
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WORKS = sys.platform.startswith("linux")
"""Elsewhere a process with threads, as libraries start them, may not fork."""


class Command:
    """A command at work: the part of ``subprocess.Popen`` that the tests use."""

    def __init__(
        self, flags: Sequence[str], out: Path, err: Path, *, start_new_session: bool = False,
        fork_codecs: bool = True,
    ) -> None:  # fmt: skip
        self.returncode: int | None = None
        self.pid: int = _ask(
            flags=list(flags), out=str(out), err=str(err), environment=dict(os.environ),
            start_new_session=start_new_session, fork_codecs=fork_codecs,
        )  # fmt: skip

    def poll(self) -> int | None:
        """How it ended, as ``Popen`` puts it; None while it is at work."""
        if self.returncode is None:
            self.returncode = _ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.poll() is None:
            process = os.pidfd_open(self.pid)  # to be read from once it has ended
            select.select([process], [], [], timeout)
            os.close(process)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired("beam_pipeline", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)


def forked_codecs() -> list[int]:
    """The living children with codecs that were forked, of all commands together."""
    server: int = _ask(codecs=True)
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


@functools.cache
def _starter() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm"], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    return process


def _ask(**request: Any) -> Any:
    process = _starter()
    assert process.stdin is not None
    assert process.stdout is not None
    print(json.dumps(request), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


# What runs in the process that starts the others


def serve(codecs: int) -> list[str] | None:
    """Answer requests until there are no more; in a forked child its flags are returned.

    ``codecs`` is the process that forks these.
    """
    requests = os.fdopen(os.dup(0))
    answers = os.fdopen(os.dup(1), "w")
    for line in requests:
        request = json.loads(line)
        if "ended" in request:
            answer = _status(request["ended"])
        elif "codecs" in request:
            answer = codecs
        else:
            ready, not_yet = os.pipe()
            answer = os.fork()
            if answer == 0:
                become(request)
                for number in (requests.fileno(), answers.fileno(), ready, not_yet):
                    os.close(number)
                return request["flags"]
            os.close(not_yet)
            os.read(ready, 1)  # until the child has closed it, or is dead
            os.close(ready)
        print(json.dumps(answer), file=answers, flush=True)
    return None


@contextmanager
def end_without_farewell() -> Iterator[None]:
    """End this process as Python does, but do not take apart thousands of modules before."""
    try:
        yield
    except SystemExit as end:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become(request: dict[str, Any]) -> None:
    """Make this process what a shell would have started."""
    from multiprocessing import get_context, resource_tracker

    from apache_beam.internal import cloudpickle_pickler

    from beam_pipeline.codec import pool

    if request["start_new_session"]:
        os.setsid()
    if request["fork_codecs"]:
        pool._spawn = get_context("forkserver")
    else:
        resource_tracker._resource_tracker._fd = None  # of another session
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if not any(flag.startswith(("--runner", "--direct_")) for flag in request["flags"]):
        # Functions stay in this process: nobody else has to read them.
        cloudpickle_pickler.bz2.compress = lambda data, compresslevel: data
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, request["out"], writing),
                              (2, request["err"], writing)):  # fmt: skip
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    # Under coverage this process is measured as it is. What it starts, the children that hold the
    # codecs, is measured where tests start it, not once more in every run.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def import_all() -> None:
    """Import what a run needs; what the program does first to keep Beam quiet comes first here."""
    import gc
    import importlib
    import pkgutil

    import beam_pipeline
    from beam_pipeline import cli

    cli._silence_beam()
    for module in pkgutil.walk_packages(beam_pipeline.__path__, "beam_pipeline."):
        if not module.name.endswith(("__main__", "dataflow")):
            importlib.import_module(module.name)
    for name in (
        "gcsfs", "s3fs", "fsspec.implementations.http", "pyarrow.dataset", "rich.table",
        "rich.progress", "rich._emoji_codes",
    ):  # fmt: skip
        importlib.import_module(name)
    remember_what_beam_asks_again()
    spare_beam_its_caution()
    build_once()
    gc.collect()
    gc.freeze()  # all this lives as long as the process: no run has to look through it
    gc.set_threshold(100_000, 50, 50)  # as while the program works


def build_once() -> None:
    """Have Beam look at all functions of the pipeline, so that every child knows what it found."""
    from beam_pipeline import pipeline
    from beam_pipeline.config import Config
    from beam_pipeline.engines.choose import choose_engine
    from beam_pipeline.options import KineticsOptions, parse_command_line
    from beam_pipeline.report.page import page_template

    page_template()
    given = ["--annotations", "/a", "--videos", "/v", "--output", "/o"]
    options = parse_command_line(given)
    engine = choose_engine(options)
    job = engine.pipeline()
    pipeline.build(job, engine.configure(Config.from_options(options.view_as(KineticsOptions))))
    job.to_runner_api()


def start_to_fork_codecs() -> int:
    """Start the process that forks the children for the codecs; its id."""
    from multiprocessing import forkserver

    server = forkserver._forkserver
    server.set_forkserver_preload(["beam_pipeline.codec.child"])
    server.ensure_running()
    server.ensure_running = lambda: None  # those that are forked from here cannot wait for it
    return int(server._forkserver_pid)


def remember_what_beam_asks_again() -> None:
    """Half of a small run is Beam asking the same of the same functions and flags, thousandfold."""
    import base64
    import bz2
    import copy
    import inspect
    from types import SimpleNamespace

    import objsize
    from apache_beam.internal import cloudpickle_pickler, pickler
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.worker import bundle_processor, statecache
    from apache_beam.transforms import core, userstate
    from apache_beam.typehints import decorators

    signature_of, signatures = decorators.get_signature, {}

    def get_signature(function: Any) -> inspect.Signature:
        if not inspect.isroutine(function):
            return signature_of(function)
        key = (getattr(function, "__func__", function), inspect.ismethod(function))
        if key not in signatures:
            signatures[key] = signature_of(function)
        return signatures[key]

    decorators.get_signature = core.get_signature = get_signature

    specs_of, specs = userstate.get_dofn_specs, {}

    def get_dofn_specs(dofn: Any) -> Any:
        if getattr(getattr(dofn, "_fn", None), "__defaults__", None):
            return specs_of(dofn)  # states and timers may stand there
        if type(dofn) not in specs:
            specs[type(dofn)] = specs_of(dofn)
        return specs[type(dofn)]

    userstate.get_dofn_specs = get_dofn_specs

    from_callable, hints = decorators.IOTypeHints.from_callable, {}

    def hints_of(function: Any) -> Any:
        if not inspect.isroutine(function):
            return from_callable(function)
        key = (getattr(function, "__func__", function), inspect.ismethod(function))
        if key not in hints:
            hints[key] = from_callable(function)
        return hints[key]

    decorators.IOTypeHints.from_callable = hints_of
    # The lines that stated a type are for messages alone.
    decorators.IOTypeHints._make_origin = staticmethod(lambda bases, tb=True, msg=(): [])

    mixes_yield_and_return, mixing = core._check_fn_use_yield_and_return, {}

    def check_fn_use_yield_and_return(function: Any) -> bool:
        key = getattr(function, "__code__", None)
        if key is None:
            return mixes_yield_and_return(function)
        if key not in mixing:
            mixing[key] = mixes_yield_and_return(function)
        return mixing[key]

    core._check_fn_use_yield_and_return = check_fn_use_yield_and_return

    # What is at the top of a module is looked up in thousands of modules, and nothing leads there.
    statecache.objsize = SimpleNamespace(
        get_deep_size=functools.partial(objsize.get_deep_size, exclude_modules_globals=False)
    )

    compress, decompress = functools.cache(bz2.compress), functools.cache(bz2.decompress)

    def decompress_if_compressed(data: bytes) -> bytes:
        return decompress(data) if data.startswith(b"BZh") else data

    cloudpickle_pickler.bz2 = SimpleNamespace(  # of every three functions two were there before
        compress=compress, decompress=decompress_if_compressed
    )

    def dumps(value: Any) -> bytes:
        """For what never leaves the process: ``pickler.dumps``, but not compressed."""
        return base64.b64encode(cloudpickle_pickler._dumps(value))

    bundle_processor.pickler = SimpleNamespace(dumps=dumps, loads=pickler.loads)

    parse, parsed = PipelineOptions.__init__, {}

    def init(self: PipelineOptions, flags: Sequence[str] | None = None, **more: Any) -> None:
        if flags is None or more:
            parse(self, flags, **more)
            return
        key = (type(self), tuple(flags))
        if key not in parsed:
            parse(self, flags)
            parsed[key] = copy.copy(self._visible_options), self._all_options.copy()
            return
        self._flags = flags
        visible, all_options = parsed[key]
        self._visible_options, self._all_options = copy.copy(visible), all_options.copy()

    PipelineOptions.__init__ = init

    get_all_options, all_found = PipelineOptions.get_all_options, {}

    def all_options_of(self: PipelineOptions, drop_default: bool = False, **more: Any) -> Any:
        changed = {name: repr(value) for name, value in self._all_options.items()}
        key = repr((type(self), self._flags, drop_default, changed))
        if any(more.values()):
            return get_all_options(self, drop_default, **more)
        if key not in all_found:
            all_found[key] = get_all_options(self, drop_default)
        return copy.deepcopy(all_found[key])

    PipelineOptions.get_all_options = all_options_of

    def option(self: PipelineOptions, name: str) -> Any:
        if not name.startswith("_") and hasattr(self._visible_options, name):
            return self._all_options[name]
        return object.__getattribute__(self, name)

    PipelineOptions.__getattr__ = option  # Beam sorts all names of options for each


def spare_beam_its_caution() -> None:
    """Beam prepares for workers that are elsewhere and may hang; here they are this process."""
    from concurrent import futures
    from types import SimpleNamespace

    from apache_beam.portability import common_urns
    from apache_beam.portability.api import beam_fn_api_pb2, beam_runner_api_pb2
    from apache_beam.runners.portability.fn_api_runner.execution import BundleContextManager
    from apache_beam.runners.worker import bundle_processor
    from apache_beam.utils import proto_utils

    class AtOnce(futures.Executor):
        """Works where it is asked, not in a thread that might hang."""

        def __init__(self, **_: Any) -> None:
            pass

        def submit(self, function: Any, /, *args: Any, **more: Any) -> "futures.Future[Any]":
            future: futures.Future[Any] = futures.Future()
            try:
                future.set_result(function(*args, **more))
            except Exception as error:
                future.set_exception(error)
            return future

    bundle_processor.concurrent = SimpleNamespace(
        futures=SimpleNamespace(ThreadPoolExecutor=AtOnce, TimeoutError=futures.TimeoutError)
    )

    primitives, combining = common_urns.primitives, common_urns.combine_components
    port, combine = beam_fn_api_pb2.RemoteGrpcPort, beam_runner_api_pb2.CombinePayload
    names_a_coder: dict[str, tuple[Any, str]] = {
        bundle_processor.DATA_INPUT_URN: (port, "coder_id"),
        bundle_processor.DATA_OUTPUT_URN: (port, "coder_id"),
        primitives.PAR_DO.urn: (beam_runner_api_pb2.ParDoPayload, "restriction_coder_id"),
        combining.COMBINE_PER_KEY_PRECOMBINE.urn: (combine, "accumulator_coder_id"),
        combining.COMBINE_PER_KEY_MERGE_ACCUMULATORS.urn: (combine, "accumulator_coder_id"),
        combining.COMBINE_PER_KEY_EXTRACT_OUTPUTS.urn: (combine, "accumulator_coder_id"),
    }

    def used_coders(transforms: Any, collections: Any, components: Any) -> Any:
        """The coders that a stage may ask for; all of them if that is hard to tell."""
        asked = [each.coder_id for each in collections]
        asked += [each.window_coder_id for each in components.windowing_strategies.values()]
        for each in transforms:
            kind, name = names_a_coder.get(each.spec.urn, (None, ""))
            if kind is not None:
                payload = proto_utils.parse_Bytes(each.spec.payload, kind)
                if getattr(payload, "state_specs", None) or getattr(
                    payload, "timer_family_specs", None
                ):
                    return components.coders
                asked.append(getattr(payload, name))
            elif each.spec.urn != primitives.FLATTEN.urn:
                return components.coders
        found: dict[str, Any] = {}
        while asked:
            coder_id = asked.pop()
            if coder_id and coder_id not in found:
                found[coder_id] = components.coders[coder_id]
                asked += found[coder_id].component_coder_ids
        return found

    def build_of_stage(self: BundleContextManager) -> Any:
        """What a bundle has to know, without the collections and coders of all other stages."""
        components = self.execution_context.pipeline_components
        transforms = {each.unique_name: each for each in self.stage.transforms}
        names = {
            name
            for each in transforms.values()
            for name in (*each.inputs.values(), *each.outputs.values())
        }
        collections = {name: components.pcollections[name] for name in names}
        made = beam_fn_api_pb2.ProcessBundleDescriptor(
            id=self.bundle_uid,
            transforms=transforms,
            pcollections=collections,
            coders=used_coders(transforms.values(), collections.values(), components),
            state_api_service_descriptor=self.state_api_service_descriptor(),
            timer_api_service_descriptor=self.data_api_service_descriptor(),
        )
        for name in ("windowing_strategies", "environments"):
            getattr(made, name).MergeFrom(getattr(components, name))
        return made

    BundleContextManager._build_process_bundle_descriptor = build_of_stage


if __name__ == "__main__":
    import_all()
    flags = serve(start_to_fork_codecs())
    if flags is not None:
        import runpy

        sys.argv = ["beam_pipeline", *flags]
        with end_without_farewell():
            runpy.run_module("beam_pipeline", run_name="__main__", alter_sys=True)
