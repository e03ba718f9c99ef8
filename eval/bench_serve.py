"""Many clients of one `cropper serve` on this machine: latencies, refusals, memory, a clean end.

Each client posts the same photo again and again over a connection of its own, and waits as long as
a 503 asks it to. Clients and service share the cores, so the figures are of both together. At the
end the service gets a SIGTERM while requests are in flight.
"""

from __future__ import annotations

import collections
import http.client
import signal
import threading
import time
from dataclasses import dataclass

import numpy as np

from eval.bench import synthetic_photo
from eval.environment import Environment, read_environment
from eval.processes import memory
from eval.service import running_service

__all__ = ["ServeBench", "render_serve_bench", "run_serve_bench"]

PHOTO = (3000, 2000)  # px
_PATIENCE = 120  # s


@dataclass(frozen=True)
class ServeBench:
    clients: int
    seconds: float
    latencies: tuple[float, ...]  # s, of the answers with a crop, their upload included
    statuses: tuple[tuple[str, int], ...]  # how often; 'broken' for a connection that broke
    idle_mb: float  # resident, decoders included, before the first request
    peak_mb: float
    exit_code: int  # after the SIGTERM

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.latencies, share)) if self.latencies else float("nan")


class _Clients:
    """All clients, and what they count together."""

    def __init__(self, address: str, photo: bytes, stop: threading.Event) -> None:
        self.address, self.photo, self.stop = address, photo, stop
        self.lock = threading.Lock()
        self.latencies: list[float] = []
        self.statuses: collections.Counter[str] = collections.Counter()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=_PATIENCE)
        while not self.stop.is_set():
            started = time.perf_counter()
            try:
                connection.request("POST", "/v1/crop?aspect=4:5", self.photo)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self._count("broken", None)
                continue
            done = answer.status == http.HTTPStatus.OK
            self._count(str(answer.status), time.perf_counter() - started if done else None)
            self.stop.wait(float(answer.headers.get("Retry-After", 0)))

    def _count(self, status: str, latency: float | None) -> None:
        with self.lock:
            if latency is not None:
                self.latencies.append(latency)
            if not self.stop.is_set():  # what is refused after the end is no failure
                self.statuses[status] += 1


def run_serve_bench(clients: int = 200, seconds: float = 60) -> ServeBench:
    """Raises DataError where the service does not start."""
    with running_service() as (service, address):
        idle = memory(service.pid)
        stop = threading.Event()
        all_clients = _Clients(address, synthetic_photo(*PHOTO), stop)
        threads = [threading.Thread(target=all_clients.run) for _ in range(clients)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        peak = memory(service.pid, "VmHWM")
        stop.set()
        service.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        code = service.wait(_PATIENCE)
    counted = tuple(sorted(all_clients.statuses.items()))
    return ServeBench(clients, seconds, tuple(all_clients.latencies), counted, idle, peak, code)


def render_serve_bench(bench: ServeBench, environment: Environment | None = None) -> str:
    done = dict(bench.statuses).get("200", 0)  # those after the end are in the latencies alone
    statuses = ", ".join(f"{status}: {count}" for status, count in bench.statuses)
    lines = [
        f"{bench.clients} clients for {bench.seconds:g} s, photo {PHOTO[0]}x{PHOTO[1]}",
        f"{done} crops, {done / bench.seconds:.1f} a second; answers {statuses}",
        f"a crop's latency: p50 {bench.percentile(50):.3f} s, p99 {bench.percentile(99):.3f} s",
        f"memory: {bench.idle_mb:.0f} MB idle, {bench.peak_mb:.0f} MB at most",
        f"exit code after SIGTERM: {bench.exit_code}",
    ]
    return "\n".join([*lines, "", str(environment or read_environment())])
