"""A Flink cluster, as its REST API shows it."""

import base64
import json
import re
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from apache_beam.coders import VarIntCoder
from apache_beam.portability import common_urns

from beam_pipeline.errors import RunError, UsageError

ANSWER_SECONDS = 15.0
"""Seconds in which the cluster has to answer."""

REST_PORT = 8081
"""The port of the REST API, unless the cluster sets another."""

_METRICS = "__metricscontainers"
"""The accumulator that holds Beam's metrics."""

_COUNTER = common_urns.monitoring_info_specs.USER_SUM_INT64.spec.urn
_NUMBERS = VarIntCoder()


class Size(NamedTuple):
    """What a cluster has, and which release it is.

    version: of Flink, such as ``1.19``.
    slots: of all task managers.
    cores: of a machine, for each of its task managers; None if that is not the same everywhere.
    """

    version: str
    slots: int
    cores: int | None


class Unreachable(Exception):
    """The cluster does not answer, or not as Flink would."""


@dataclass(frozen=True)
class FlinkCluster:
    """The REST API at an address, ``http://HOST:PORT``."""

    address: str

    @classmethod
    def at(cls, master: str) -> "FlinkCluster":
        """The cluster that ``--flink_master`` names.

        Raises:
            UsageError: it is no host with a port.
        """
        address = master.strip().rstrip("/")
        if "://" not in address:
            address = f"http://{address}"
        parts = urlsplit(address)
        try:
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port
        except ValueError:
            usable = None
        if not usable:
            raise UsageError(
                f"--flink_master {master} is no host with a port; type --flink_master "
                f"{parts.hostname or 'HOST'}:{REST_PORT}"
            )
        return cls(address)

    def size(self) -> Size:
        """What the cluster has.

        Raises:
            RunError: it cannot be reached, or has no task managers.
        """
        try:
            overview = self._get("/overview")
            managers = self._get("/taskmanagers")["taskmanagers"]
            slots, release = int(overview["slots-total"]), str(overview["flink-version"])
        except (Unreachable, KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"--flink_master {self.address}: {_reason(error)}; type the host and port of "
                "Flink's REST API, and check that the cluster runs"
            ) from error
        if not slots:
            raise RunError(
                f"the Flink cluster at {self.address} has no task managers; start some, then run "
                "the same command again"
            )
        return Size(".".join(release.split(".")[:2]), slots, cores_for_each(managers))

    def find_job(self, name: str) -> str | None:
        """The id of the newest job of that name; None if there is none yet.

        Raises:
            Unreachable: the cluster does not answer.
        """
        jobs = [job for job in self._get("/jobs/overview").get("jobs", []) if job["name"] == name]
        return max(jobs, key=lambda job: job["start-time"])["jid"] if jobs else None

    def counters(self, job: str, namespace: str) -> Counter[str]:
        """Beam's counters of one namespace, summed over all steps, as they are now.

        Raises:
            Unreachable: the cluster does not answer.
        """
        answer = self._get(f"/jobs/{job}/accumulators?includeSerializedValue=false")
        for accumulator in answer.get("user-task-accumulators", []):
            if accumulator["name"] == _METRICS:
                return counters_in(accumulator["value"], namespace)
        return Counter()

    def page_of(self, job: str) -> str:
        """The address of a job's page."""
        return f"{self.address}/#/job/running/{job}/overview"

    def cancel_command(self, job: str) -> str:
        """What to type to stop a job."""
        return f"curl -X PATCH '{self.address}/jobs/{job}?mode=cancel'"

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=ANSWER_SECONDS) as response:
                answer = json.load(response)
        except urllib.error.URLError as error:
            raise Unreachable(str(error.reason)) from error
        except (OSError, ValueError) as error:
            raise Unreachable(str(error)) from error
        if not isinstance(answer, dict):
            raise Unreachable("the answer is not Flink's")
        return answer


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Unreachable) else "the answer is not Flink's"


def cores_for_each(managers: list[dict[str, Any]]) -> int | None:
    """The cores of a machine for each of its task managers; None if they differ, or are unknown.

    Several task managers of one machine share its cores.
    """
    hosts = [_host_of(manager) for manager in managers]
    managers_on = Counter(hosts)
    shares = {
        max(1, int(manager.get("hardware", {}).get("cpuCores", 0)) // managers_on[host])
        for manager, host in zip(managers, hosts, strict=True)
    }
    return shares.pop() if len(shares) == 1 else None


def _host_of(manager: dict[str, Any]) -> str:
    """The machine of a task manager, from ``pekko.tcp://flink@HOST:PORT/…``, or from its id."""
    found = re.search(r"@([^/]+):\d+/", str(manager.get("path", "")))
    return found[1] if found else str(manager.get("id", "")).rpartition(":")[0]


def counters_in(text: str, namespace: str) -> Counter[str]:
    """The counters of one namespace in Beam's metrics, as Flink shows them.

    Raises:
        Unreachable: the text is no such metrics.
    """
    counted = Counter[str]()
    try:
        for metric in json.loads(text)["metrics"]["attempted"]:
            labels = metric["labels"]
            if metric["urn"] == _COUNTER and labels["NAMESPACE"] == namespace:
                counted[labels["NAME"]] += _NUMBERS.decode(base64.b64decode(metric["payload"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable("the answer is not Flink's") from error
    return counted
