"""Workers in other processes, one of which is killed; and who asks the scorer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cropper import BulkOptions, CropFinder, CropRequest, crop_folder, load_image
from cropper.bulk import Outcome, Watcher
from cropper.bulk.find import PhotoFinder, ThreadedPhotoFinder
from cropper.errors import ConfigError, ScorerOutputError
from cropper.image import View
from cropper.scorers import BoundScorer
from eval.crash import write_photos
from tests.bulk.conftest import Bulk, spot_cluster, tree
from tests.conftest import ROOT
from tests.spot import SpotScorer

REQUESTS = tuple(CropRequest(aspect=aspect, budget=300) for aspect in ("1:1", "3:2"))
SPOT = BulkOptions(REQUESTS, scorer="spot")


class Killer(Watcher):
    """Kills a worker process when some photos are done."""

    def __init__(self, after: int, victim: int) -> None:
        self.after, self.victim = after, victim
        self.done: list[str] = []
        self.notes: list[str] = []

    def noted(self, note: str) -> None:
        self.notes.append(note)

    def finished(self, outcome: Outcome) -> None:
        self.done.append(outcome.source)
        if len(self.done) == self.after:
            os.kill(self.victim, signal.SIGKILL)


def test_a_cluster_that_loses_a_worker_does_every_photo_once(spot: None, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    write_photos(tmp_path / "in", 60)
    (tmp_path / "in/broken.jpg").write_bytes(b"no picture")
    alone = crop_folder(tmp_path / "in", tmp_path / "alone", SPOT)
    with (
        spot_cluster(2) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim, other = client.run(os.getpid).values()
        assert victim != other
        killer = Killer(10, victim)
        options = replace(SPOT, backend="dask", cluster=cluster.scheduler_address)
        report = crop_folder(tmp_path / "in", tmp_path / "out", options, watcher=killer)
    with pytest.raises(ProcessLookupError):
        os.kill(victim, 0)
    assert (report.done, report.failed, report.waiting) == (60, 1, 0)
    assert (report.exit_code, report.reasons) == (alone.exit_code, alone.reasons)
    assert len(killer.done) == len(set(killer.done)) == 61
    assert killer.notes == ["a worker of Dask was lost: its photos go to another"]
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    assert crop_folder(tmp_path / "in", tmp_path / "out", SPOT).current == 60


def test_a_lost_worker_is_a_line_and_no_log(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    import psutil  # noqa: PLC0415 - comes with distributed

    write_photos(tmp_path / "in", 60)
    folders = [str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    command = [sys.executable, "-m", "cropper", "bulk", *folders, "--backend", "dask"]
    with subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True) as run:
        while len(list(tmp_path.glob("out/**/*.jpg"))) < 5:
            assert run.poll() is None
            time.sleep(0.05)
        started = psutil.Process(run.pid).children(recursive=True)
        workers = [each for each in started if "spawn_main" in " ".join(each.cmdline())]
        workers[0].kill()
        _, told = run.communicate(timeout=120)
    assert run.returncode == 0
    assert told.splitlines()[1] == "cropper: a worker of Dask was lost: its photos go to another"
    assert all(line.startswith("cropper: ") for line in told.splitlines())
    assert len(list(tmp_path.glob("out/**/*.jpg"))) == 60


def process_id() -> int:
    """Ray takes no builtin."""
    return os.getpid()


def test_ray_does_every_photo_once(spot: None, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    write_photos(tmp_path / "in", 60)
    alone = crop_folder(tmp_path / "in", tmp_path / "alone", SPOT)
    workers = {
        "worker_process_setup_hook": "tests.bulk.spot_worker.setup",
        "env_vars": {"PYTHONPATH": str(ROOT)},
    }
    ray.init(num_cpus=2, runtime_env=workers, log_to_driver=False, include_dashboard=False)
    try:
        killer = Killer(10, ray.get(ray.remote(process_id).remote()))
        options = replace(SPOT, backend="ray")
        report = crop_folder(tmp_path / "in", tmp_path / "out", options, watcher=killer)
    finally:
        ray.shutdown()
    with pytest.raises(ProcessLookupError):
        os.kill(killer.victim, 0)
    assert (report.exit_code, report.done) == (0, alone.done)
    assert len(killer.done) == len(set(killer.done)) == 60
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")


def test_a_worker_that_is_alone_does_the_work(
    spot: None, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """joblib's backend would do it in the process that hands out."""
    monkeypatch.setattr("cropper.bulk.pipeline.crop_photo", None)  # in this process alone
    with spot_cluster(1) as cluster:
        options = replace(SPOT, backend="dask", cluster=cluster.scheduler_address)
        report = crop_folder(photos, tmp_path / "out", options)
    assert (report.done, report.exit_code) == (4, 0)


class Adder(Watcher):
    """Lets a second worker join when some photos are done."""

    def __init__(self, after: int, client: Any) -> None:
        self.after, self.client = after, client
        self.at_once: list[int] = []

    def finished(self, outcome: Outcome) -> None:
        self.at_once.append(sum(map(len, self.client.processing().values())))
        if len(self.at_once) == self.after:
            self.client.cluster.scale(2)
            self.client.wait_for_workers(2)


def test_a_worker_that_joins_late_has_its_share(
    spot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("cropper.bulk.pipeline._COUNTS", 0.0)
    write_photos(tmp_path / "in", 60)
    with (
        spot_cluster(1) as cluster,
        distributed.Client(cluster) as client,
    ):
        options = replace(SPOT, backend="dask", cluster=cluster.scheduler_address)
        adder = Adder(10, client)
        report = crop_folder(tmp_path / "in", tmp_path / "out", options, watcher=adder)
    assert (report.done, report.exit_code) == (60, 0)
    assert max(adder.at_once[:10]) <= 2 < max(adder.at_once)


def test_a_cluster_without_workers(
    bulk: Bulk, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("cropper.bulk.pipeline._START", 0.1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        found = bulk("--backend", "dask", "--cluster", cluster.scheduler_address)
    assert found.exit_code == 2
    assert "has no worker: start one with `dask worker`" in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_is_not_there(bulk: Bulk, photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    found = bulk("--backend", "dask", "--cluster", "nonsense://here")
    assert found.exit_code == 2
    assert "no Dask scheduler at nonsense://here" in found.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_backend_that_is_not_installed(
    bulk: Bulk, photos: Path, monkeypatch: pytest.MonkeyPatch, backend: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = bulk("--backend", backend)
    assert found.exit_code == 3
    assert f"pip install 'cropper[{backend}]'" in found.stderr


# --- the thread that has the device


class BatchSpot(SpotScorer):
    """Binds several at once, notes how many, and cannot stand the colour red."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.started, self.go_on = threading.Event(), threading.Event()

    def bind_all(self, views: list[View]) -> list[BoundScorer]:
        self.batches.append(len(views))
        self.started.set()
        self.go_on.wait(10)
        if any((view.pixels[..., 0] > 2.0 * view.pixels[..., 1] + 50).all() for view in views):
            raise ScorerOutputError("red")
        return [self.bind(view) for view in views]


def boxes(finder: PhotoFinder, paths: list[Path]) -> list[NDArray[np.float64]]:
    with ThreadPoolExecutor(len(paths)) as pool:
        results = list(pool.map(lambda path: finder.find(load_image(path)), paths))
    return [np.array([crop.box for result in each for crop in result.crops]) for each in results]


def test_the_device_s_thread_gives_each_photo_its_own_answer(spot: None, tmp_path: Path) -> None:
    write_photos(tmp_path, 12)
    paths = sorted(tmp_path.rglob("*.jpg"))
    expected = boxes(PhotoFinder(CropFinder("spot"), SPOT), paths)
    scorer = BatchSpot()
    with ThreadedPhotoFinder(CropFinder(scorer), replace(SPOT, batch_size=4)) as threaded:
        waiter = threading.Thread(target=lambda: threaded.find(load_image(paths[0])))
        waiter.start()
        assert scorer.started.wait(10)  # it has the first photo, alone; the others queue up
        threading.Timer(0.3, scorer.go_on.set).start()
        found = boxes(threaded, paths)
        waiter.join()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert max(scorer.batches) == 4
    assert sum(scorer.batches) == 13


def test_what_a_batch_raises_its_photos_get_and_the_next_go_on(spot: None, tmp_path: Path) -> None:
    scorer = BatchSpot()
    scorer.go_on.set()
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "red.png")
    write_photos(tmp_path, 1)
    with ThreadedPhotoFinder(CropFinder(scorer), SPOT) as threaded:
        with pytest.raises(ScorerOutputError, match="red"):
            threaded.find(load_image(tmp_path / "red.png"))
        assert threaded.find(load_image(tmp_path / "0000/000000.jpg"))


def test_options_that_cannot_be() -> None:
    for wrong in ({"backend": "spark"}, {"xmp": "maybe"}, {"min_gain": 1}, {"workers": -1}):
        with pytest.raises(ConfigError):
            BulkOptions(**wrong)
