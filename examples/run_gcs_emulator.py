"""Prepare the sample from bucket to bucket, in a local emulator of Google Cloud Storage.

    python examples/run_gcs_emulator.py sample

No data leaves the machine, and nothing remains after the run.
"""

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path

from gcp_storage_emulator.server import create_server
from gcsfs.core import GCSFileSystem

BUCKET = "kinetics"


def main() -> int:
    """Upload a sample, prepare it and print the output; returns the command's exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sample", type=Path, help="a folder made by make_sample.py")
    sample = parser.parse_args().sample
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)  # it logs every 404
    with create_server("localhost", 0, in_memory=True, default_bucket=BUCKET) as server:
        address = f"http://localhost:{server._api._httpd.server_port}"
        options = {"endpoint_url": address, "token": "anon", "project": "emulated"}
        storage = GCSFileSystem(**options, use_listings_cache=False)
        for name in ("annotations", "videos"):
            for path in sorted((sample / name).rglob("*")):
                if path.is_file():
                    target = f"{BUCKET}/{path.relative_to(sample)}"
                    storage.pipe_file(target, path.read_bytes())
        command = [
            sys.executable, "-m", "beam_pipeline", "--annotations", f"gs://{BUCKET}/annotations",
            "--videos", f"gs://{BUCKET}/videos", "--output", f"gs://{BUCKET}/k400-256",
            "--storage_options", json.dumps({"gs": options}),
        ]  # fmt: skip
        print("$", " ".join(command[1:]), flush=True)
        status = subprocess.run(command, check=False).returncode
        if status == 0:
            for path in storage.find(f"{BUCKET}/k400-256"):
                print(f"gs://{path}")
            print(storage.cat_file(f"{BUCKET}/k400-256/train.csv").decode(), end="")
        return status


if __name__ == "__main__":
    sys.exit(main())
