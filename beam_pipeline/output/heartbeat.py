"""How a run shows in a bucket that it is alive: an object that is rewritten."""

import threading
from contextlib import suppress

from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import SETTINGS, Output
from beam_pipeline.storage import files

ALIVE = "alive"

HEARTBEAT_INTERVAL = 20.0
"""Seconds between two heartbeats in a bucket. Each is three requests."""

REMOVAL_TIME = 2.0
"""Seconds in which another worker, which ends the run, removes the run's state."""

LEASE_TIMEOUT = 2.5 * HEARTBEAT_INTERVAL
"""Seconds without a heartbeat after which a run is dead."""


class Heartbeat:
    """Rewrites an object of the run at intervals. It grows, because listings show sizes."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._closed = threading.Event()
        # Of another process of this run it goes on: a size that was seen before would look dead.
        beats = b""
        with suppress(OSError):
            beats = files.read(output.url(f"{output.state}/{ALIVE}"))
        output.write(f"{output.state}/{ALIVE}", beats + b".")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        url = self.output.url(f"{self.output.state}/{ALIVE}")
        while not self._closed.wait(HEARTBEAT_INTERVAL):
            try:
                files.write(url, files.read(url) + b".")
                if self._closed.wait(REMOVAL_TIME):
                    return
                if not files.exists(self.output.url(SETTINGS)):
                    files.remove(url)  # written while another worker was removing the state
                    return
            except FileNotFoundError:
                return  # another worker has finished the run
            except OSError:
                continue  # a missed heartbeat must not fail the run

    def close(self) -> None:
        self._closed.set()
        self._thread.join(HEARTBEAT_INTERVAL)  # it may be waiting for unresponsive storage

    def release(self) -> None:
        self.close()
        with suppress(OutputError, OSError):
            self.output.remove(f"{self.output.state}/{ALIVE}")
