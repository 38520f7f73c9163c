"""The Dataflow template: that its files fit the program, each other and what Dataflow reads."""

import argparse
import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud.dataflow_v1beta3 import TemplateMetadata
from google.protobuf.json_format import ParseError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from beam_pipeline import __version__
from beam_pipeline.options import KineticsOptions, parse_command_line

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"


def load_write_metadata():
    spec = importlib.util.spec_from_file_location("write_metadata", TEMPLATES / "write_metadata.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


write_metadata = load_write_metadata()
METADATA = (TEMPLATES / "metadata.json").read_text(encoding="utf-8")
PARAMETERS = {p["name"]: p for p in json.loads(METADATA)["parameters"]}
IMAGE = "sdk_container_image"  # Beam's, the only one that is not ours


def actions() -> dict[str, argparse.Action]:
    parser = argparse.ArgumentParser(add_help=False)
    KineticsOptions._add_argparse_args(parser)
    return {action.dest: action for action in parser._actions}


ACTIONS = actions()


# ---------------------------------------------------------------------------------- metadata.json


def test_metadata_are_what_the_options_say_today():
    written = json.dumps(write_metadata.metadata(), indent=2, ensure_ascii=False) + "\n"
    assert written == METADATA, "run python templates/write_metadata.py"


def test_every_option_is_a_parameter_or_left_out_for_a_reason():
    assert set(PARAMETERS) - {IMAGE} == set(ACTIONS) - set(write_metadata.EXCLUDED)
    assert set(write_metadata.EXCLUDED) <= set(ACTIONS)
    assert set(write_metadata.PARAMETER_TYPES) <= set(PARAMETERS)


def test_dataflow_reads_the_metadata():
    metadata = TemplateMetadata.from_json(METADATA)
    assert [p.name for p in metadata.parameters] == list(PARAMETERS)
    assert {p.name for p in metadata.parameters if not p.is_optional} == {"output", IMAGE}
    assert all(p.label and p.help_text and p.group_name for p in metadata.parameters)
    assert not metadata.streaming


@pytest.mark.parametrize(("right", "wrong"), [('"NUMBER"', '"NUMBERS"'), ('"helpText"', '"help"')])
def test_dataflow_refuses_other_metadata(right: str, wrong: str):
    assert right in METADATA
    with pytest.raises(ParseError):
        TemplateMetadata.from_json(METADATA.replace(right, wrong))


def test_defaults_are_those_of_the_options():
    for name, action in ACTIONS.items():
        if name in write_metadata.EXCLUDED:
            continue
        default = PARAMETERS[name].get("defaultValue")
        assert (default is None) == (action.default is None), name
        if default is not None:
            options = parse_command_line([f"--{name}={default}"]).view_as(KineticsOptions)
            assert getattr(options, name) == action.default, name


def test_choices_and_booleans_are_those_of_the_options():
    for name, parameter in PARAMETERS.items():
        action = ACTIONS.get(name)
        choices = [option["value"] for option in parameter.get("enumOptions", [])]
        assert choices == list((action and action.choices) or []), name
        assert (parameter["paramType"] == "ENUM") == bool(choices), name
        for choice in choices:
            parse_command_line([f"--{name}={choice}"])
        assert (parameter["paramType"] == "BOOLEAN") == (bool(action) and action.const is True)
        if parameter["paramType"] == "BOOLEAN":
            for text, value in (("true", True), ("false", False)):
                options = parse_command_line([f"--{name}={text}"]).view_as(KineticsOptions)
                assert getattr(options, name) is value, name


def test_help_says_a_default_once():
    for name, parameter in PARAMETERS.items():
        assert "%(" not in parameter["helpText"], name
        assert ("(default: " in parameter["helpText"]) <= ("defaultValue" not in parameter), name


ADDRESSES = [
    "gs://k400/videos", "gs://k400/videos/", "gs://k400/part_*.tar.gz", "gcs://k400/list.txt",
    "https://s3.amazonaws.com/kinetics/400/val/part_0.tar.gz", "http://mirror.example/k400.csv",
    "gs://new/replacement,gs://k400/train", "gs://a/x , https://b/y, gs://c/z",
]  # fmt: skip
NO_ADDRESSES = ["", "/data/videos", "videos", "file:///data", "s3://k400/v", "gs://a/x,/data"]

VALUES: dict[str, tuple[list[str], list[str]]] = {
    "annotations": (ADDRESSES, NO_ADDRESSES),
    "exclude_annotations": (ADDRESSES, NO_ADDRESSES),
    "exclude_from": (["val", "train,test", "train, validate"], ["", "all", "train;val", "train,"]),
    "videos": (ADDRESSES, NO_ADDRESSES),
    "output": (
        ["gs://mine", "gs://mine/", "gs://mine/k400 256"],
        ["", "/data/k400-256", "gs:///k400", "https://mirror.example/out", "mine/gs://x"],
    ),
    "dataset_mirror": (["https://mirror.example/cvdf", "gs://mirror"], ["/data", "gs://a,gs://b"]),
    "splits": (["val", "train,test", "train, validate"], ["", "all", "train;val", "train,"]),
    "short_edge": (["2", "98", "256", "320", "8192"], ["", "0", "255", "-2", "256px", "10000"]),
    "crf": (["1", "18", "18.5", "51", "51.0"], ["0", "0.5", "51.5", "52", "18."]),
    "gop": (["1", "12", "1000"], ["0", "1001"]),
    "fps": (["30", "29.97", "30000/1001"], ["", "fast", "30/0", "30/"]),
    "list_format": (
        ["videomae", "mmaction2,videomae-pretrain", "huggingface,frames"],
        ["torchvision", "csv"],
    ),
    "label_map": (["kinetics700", "gs://mine/map.json"], ["kinetics", "map.json"]),
    "limit": (["1", "20000"], ["0", "-1", "all"]),
    "limit_per_class": (["1", "20"], ["0", "-1", "all"]),
    "seed": (["0", "7", "20"], ["", "-1", "07", "x"]),
    "shard": (["1/1", "3/8", "100/100"], ["", "0/8", "8", "1/0", "1/8/2"]),
    "storage_options": (['{"gs": {"project": "p"}}'], ["gs", '"anon"']),
    "clip_timeout": (["90", "0.5"], ["", "1m"]),
    "max_missing_ratio": (["0", "0.25", ".5", "1", "1.0"], ["1.5", "50%", "2"]),
    "max_failure_ratio": (["0", "0.25", ".5", "1", "1.0"], ["1.5", "50%", "2"]),
    # No pattern, but a value for the test of the command line.
    "classes": (["air drumming,passing American football (in game)"], []),
    "path_prefix": (["gs://mine/k400"], []),
    IMAGE: (["us-central1-docker.pkg.dev/p/kinetics/beam_pipeline:0.1.0"], []),
}


def matches(parameter: dict, value: str) -> bool:
    """As Dataflow does it; the patterns are in what egrep and Python have in common."""
    return all(re.fullmatch(regex, value) for regex in parameter.get("regexes", []))


def test_patterns_let_through_what_the_program_takes_on_dataflow():
    assert {name for name, p in PARAMETERS.items() if "regexes" in p} <= set(VALUES)
    for name, parameter in PARAMETERS.items():
        good, bad = VALUES.get(name, ([], []))
        if "defaultValue" in parameter:
            good = [*good, parameter["defaultValue"]]
        assert [v for v in good if not matches(parameter, v)] == [], name
        assert [v for v in bad if matches(parameter, v)] == [], name
        assert bool(bad) == ("regexes" in parameter), name


def test_patterns_are_in_egrep_form():
    for name, parameter in PARAMETERS.items():
        for regex in parameter.get("regexes", []):
            assert regex[0] + regex[-1] == "^$", name
            assert not re.search(r"\\|\(\?|[*+?}][?+]", regex), name


def test_parameters_come_as_one_word_each_with_what_the_launcher_adds():
    values = {name: good[0] for name, (good, _) in VALUES.items()}
    for name, parameter in PARAMETERS.items():
        if name not in values:
            choices = [option["value"] for option in parameter.get("enumOptions", [])]
            values[name] = choices[0] if choices else parameter["defaultValue"]
    assert values.keys() == PARAMETERS.keys()
    launcher = [
        "--runner=DataflowRunner", "--project=p", "--region=us-central1", "--job_name=kinetics-1",
        "--template_location=gs://b/staging/template_launches/1/job_object",
        "--temp_location=gs://b/tmp", "--staging_location=gs://b/staging", "--num_workers=25",
        "--max_num_workers=25", "--machine_type=n2d-standard-4", "--labels={}",
        "--service_account_email=a@p.iam.gserviceaccount.com",
    ]  # fmt: skip
    options = parse_command_line([*launcher, *(f"--{n}={v}" for n, v in values.items())])
    everything = options.get_all_options()
    for name in values:
        assert everything[name] is not None, name
    assert everything["classes"] == [values["classes"]]


# ------------------------------------------------------------------------------------- the image


def dockerfile() -> list[list[str]]:
    text = (TEMPLATES / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [line.split() for line in lines if line.strip()]


def copied() -> list[str]:
    """What the image is made of: paths below the project's root."""
    copies = [line[1:-1] for line in dockerfile() if line[0] == "COPY"]
    return [path for paths in copies if not paths[0].startswith("--from") for path in paths]


LOCKS = (TEMPLATES / "requirements.lock", ROOT / "requirements.lock")


def locked(path: Path = LOCKS[0]) -> dict[str, str]:
    """The versions in a lock file; each has hashes."""
    text = path.read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    form = r"([a-z0-9-]+)==([^\s;]+)( +;[^#]+?)?(?: +--hash=sha256:[0-9a-f]{64})+"
    pinned = [re.fullmatch(form, line) for line in lines]
    assert all(pinned), "a line that is no version of a package with its hashes"
    return {pin[1]: pin[2] for pin in pinned}


def required() -> list[Requirement]:
    """What setup.py asks for, and Beam's extra."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [needs] = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "install_requires"
    ]
    return [Requirement(need) for need in (*needs, "apache-beam[gcp]")]


def test_lock_has_what_setup_py_asks_for():
    lock = locked()
    for need in required():
        assert need.specifier.contains(lock[canonicalize_name(need.name)]), need
    assert lock["av"].startswith("18.1.")


def test_both_locks_name_the_same_versions():
    image, plain = locked(), locked(LOCKS[1])
    assert {name: plain[name] for name in plain.keys() & image.keys()} == {
        name: image[name] for name in plain.keys() & image.keys()
    }
    for need in [need for need in required() if not need.extras] + [Requirement("s3fs")]:
        assert need.specifier.contains(plain[canonicalize_name(need.name)]), need


def test_image_installs_nothing_that_is_not_locked():
    commands = "\n".join(" ".join(line) for line in dockerfile() if line[0] == "RUN")
    installed = re.findall(r"pip install [^&\n]*", commands)
    assert len(installed) == 2
    assert all("--no-deps" in command for command in installed)
    assert "--require-hashes --requirement requirements.lock" in installed[0]
    # Else pip would fetch what builds the package, in any version.
    assert "--no-build-isolation ." in installed[1]
    assert "setuptools" in locked()


def test_image_is_of_the_beam_that_is_locked():
    launcher, base = (line[1] for line in dockerfile() if line[0] == "FROM")
    assert base == f"apache/beam_python3.11_sdk:{locked()['apache-beam']}"
    assert re.search(r"/python311-template-launcher-base:20\d{6}_RC\d\d$", launcher)


def test_image_is_made_of_what_is_there():
    assert {"beam_pipeline", "setup.py", "templates/requirements.lock"} <= set(copied())
    for path in copied():
        assert (ROOT / path).exists(), path


def test_launcher_runs_main_and_installs_nothing():
    assert "ENTRYPOINT" not in {line[0] for line in dockerfile()}  # workers need the image's own
    settings = dict(line[1].split("=") for line in dockerfile() if line[0] == "ENV")
    assert settings == {"FLEX_TEMPLATE_PYTHON_PY_FILE": "/template/main.py"}
    shown = subprocess.run(
        [sys.executable, TEMPLATES / "main.py", "--version"], capture_output=True, text=True
    )
    assert (shown.returncode, shown.stdout) == (0, f"beam_pipeline {__version__}\n"), shown.stderr


def test_hadolint_finds_nothing():
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    hadolint = shutil.which("hadolint", path=path)
    assert hadolint, "hadolint is missing: make test-dataflow installs it"
    found = subprocess.run(
        [hadolint, "--failure-threshold", "style", TEMPLATES / "Dockerfile"],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_only_what_the_image_is_made_of_is_uploaded(tmp_path: Path):
    """Both tools read these lines as git does, so git tells."""
    kept = [f"{path}/module.py" if (ROOT / path).is_dir() else path for path in copied()]
    kept += ["templates/cloudbuild.yaml", "beam_pipeline/label_maps/kinetics400.txt"]
    left = [
        "tests/conftest.py", "sample/videos/a.mp4", ".venv/bin/python", "benchmarks/bench.py",
        "build/metadata.json", "beam_pipeline/__pycache__/cli.pyc", "Makefile", ".gitignore",
        "beam_pipeline/codec/__pycache__/pool.pyc",
    ]  # fmt: skip
    for path in (*kept, *left):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for ignore in (".gcloudignore", ".dockerignore"):
        listed = subprocess.run(
            ["git", "ls-files", "--others", f"--exclude-from={ROOT / ignore}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert set(listed.stdout.splitlines()) == set(kept), ignore


# --------------------------------------------------------------------------- what make has done


GCLOUD = """#!{python}
import json, sys
with open({log!r}, "a") as log:
    print(json.dumps(sys.argv[1:]), file=log)
"""
VARIABLES = ("PROJECT", "REGION", "BUCKET", "PARAMETERS", "IMAGE", "NUM_WORKERS", "MAX_WORKERS")


class Make:
    """The project's Makefile in a folder of its own, and a gcloud that only notes its words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in ("Makefile", "templates/metadata.json", "beam_pipeline/__init__.py"):
            (folder / path).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
        self.log = folder / "log"
        gcloud = folder / "bin" / "gcloud"
        gcloud.parent.mkdir()
        gcloud.write_text(GCLOUD.format(python=sys.executable, log=str(self.log)))
        gcloud.chmod(0o755)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        # What an outer make was given is not meant for this one.
        unset = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MACHINE_TYPE", *VARIABLES}
        env = {name: value for name, value in os.environ.items() if name not in unset}
        env["PATH"] = os.pathsep.join([str(self.folder / "bin"), env["PATH"]])
        return subprocess.run(
            ["make", *words], cwd=self.folder, env=env, capture_output=True, text=True
        )

    def gcloud(self, *words: str) -> list[str]:
        """The words of the one command that a target gives to gcloud."""
        done = self(*words)
        assert done.returncode == 0, done.stderr
        [line] = self.log.read_text().splitlines()
        return json.loads(line)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


CLOUD = ("PROJECT=p", "REGION=us-east1", "BUCKET=b")
BUILT = f"us-east1-docker.pkg.dev/p/kinetics/beam_pipeline:{__version__}"


def test_make_template_image(make: Make):
    assert make.gcloud("template-image", *CLOUD[:2]) == [
        "builds", "submit", "--project", "p", "--config", "templates/cloudbuild.yaml",
        "--substitutions", f"_IMAGE={BUILT}", ".",
    ]  # fmt: skip
    build = (TEMPLATES / "cloudbuild.yaml").read_text(encoding="utf-8")
    assert "args: [build, --tag, $_IMAGE, --file, templates/Dockerfile, .]" in build
    assert "images: [$_IMAGE]" in build


@pytest.mark.parametrize("image", [BUILT, "eu.gcr.io/other/image@sha256:0123"])
def test_make_template_build_names_the_image(make: Make, image: str):
    given = () if image == BUILT else (f"IMAGE={image}",)
    assert make.gcloud("template-build", *CLOUD, *given) == [
        "dataflow", "flex-template", "build", "gs://b/templates/kinetics.json", "--project", "p",
        "--image", image, "--sdk-language", "PYTHON", "--metadata-file", "build/metadata.json",
    ]  # fmt: skip
    written = (make.folder / "build" / "metadata.json").read_text(encoding="utf-8")
    assert write_metadata.IMAGE not in written
    assert written == METADATA.replace(write_metadata.IMAGE, image)


def test_make_template_run(make: Make):
    parameters = "output=gs://b/k400~splits=train,val~classes=air drumming,it's (b)"
    words = make.gcloud("template-run", *CLOUD, f"PARAMETERS={parameters}")
    assert re.fullmatch(r"kinetics-\d{8}-\d{6}", words.pop(3))
    assert words == [
        "dataflow", "flex-template", "run", "--project", "p", "--region", "us-east1",
        "--template-file-gcs-location", "gs://b/templates/kinetics.json",
        "--staging-location", "gs://b/staging", "--temp-location", "gs://b/tmp",
        "--num-workers", "25", "--max-workers", "25", "--worker-machine-type", "n2d-standard-4",
        "--parameters", f"^~^sdk_container_image={BUILT}~{parameters}",
    ]  # fmt: skip


def test_make_template_run_with_workers_of_ones_own(make: Make):
    run = ("template-run", *CLOUD, "PARAMETERS=output=gs://b/o", "MACHINE_TYPE=t2d-standard-8")
    words = make.gcloud(*run, "NUM_WORKERS=5")
    sizes = ("--num-workers", "--max-workers", "--worker-machine-type")
    assert [words[words.index(s) + 1] for s in sizes] == ["5", "5", "t2d-standard-8"]
    make.log.unlink()
    words = make.gcloud(*run, "NUM_WORKERS=5", "MAX_WORKERS=50")
    assert [words[words.index(s) + 1] for s in sizes] == ["5", "50", "t2d-standard-8"]


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        ("template-image", ("PROJECT", "REGION")),
        ("template-build", ("PROJECT", "REGION", "BUCKET")),
        ("template-run", ("PROJECT", "REGION", "BUCKET", "PARAMETERS")),
    ],
)
def test_make_says_what_is_missing(make: Make, target: str, needed: tuple[str, ...]):
    for missing in needed:
        done = make(target, *(f"{name}=x=y" for name in needed if name != missing))
        assert done.returncode != 0
        assert f"type {missing}=..." in done.stderr
        assert not make.log.exists()


def test_make_help_needs_nothing_and_lists_the_targets(make: Make):
    done = make("help")
    assert done.returncode == 0, done.stderr
    for target in ("template-image", "template-build", "template-run"):
        assert re.search(rf"^make {target} +\w", done.stdout, re.MULTILINE), target
