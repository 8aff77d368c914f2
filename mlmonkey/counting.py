"""What an application answers is counted, and GET /drift says whether it is like the training.

Values are counted in bins (bins.py) and never kept. Each process counts for itself, and adds what
it has to the model's file (monitoring.py) every few seconds, when it is asked, and when it ends: so
workers, restarts and endpoints of one model add up, and removing the file begins anew.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response

from mlmonkey.bins import Bins, Counts
from mlmonkey.drift import OLD_MODEL, bins_of, describe_drift, tally_path
from mlmonkey.endpoint import Endpoint, Served
from mlmonkey.errors import Problem
from mlmonkey.golden import Prediction
from mlmonkey.monitoring import Tally, add_to_file
from mlmonkey.openapi_schemas import answers
from mlmonkey.replies import as_json, json_of
from mlmonkey.rows import Rows

EVERY = 5  # seconds between two additions to the file


class Monitor:
    """Counts what one model answers in this process, for a file that all processes add to.

    Args:
        folder: where the file is; None: what is counted stays in memory.
        say: is told, once, of a file that can't be used.
    """

    def __init__(self, metadata: Mapping[str, Any], bins: Bins, folder: Path | None,
                 say: Callable[[str], None]) -> None:
        self.metadata, self.bins, self.counts = metadata, bins, Counts(bins)
        self.path, self.say, self.told = folder and tally_path(folder, metadata), say, False

    def store(self) -> tuple[Tally | None, bool]:
        """Add to the file what is new; return what is known, and whether it is in the file.

        What can't be added stays here, and is tried again.
        """
        fresh = self.counts.take()
        try:
            if self.path:
                total = add_to_file(self.path, self.metadata["model_identifier"], self.bins, fresh,
                                    self.say)
                self.told = False
                return total, True
        except OSError as error:
            if not self.told:
                self.say(f"can't add to {self.path}: {error.strerror or error}; what drift is told "
                         "from stays in this worker's memory until that works")
            self.told = True
        if fresh:
            self.counts.give_back(fresh)
        return fresh, False


class Drift:
    """The monitors of an application's models; the newest of a name answers GET /drift."""

    def __init__(self, endpoint: Endpoint, say: Callable[[str], None]) -> None:
        self.endpoint, self.say = endpoint, say
        self.folder: Path | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew: of what was counted before a fork, the parent keeps account."""
        self._monitors: dict[str, Monitor | None] = {}
        self._lock = threading.Lock()
        self._storing = False

    def keep(self, folder: Path | None) -> None:
        """Forget the rows so far, such as a first one to warm up, and add later ones to files."""
        self.forget()
        self.folder = folder

    def observe(self, served: Served, rows: Rows, found: Prediction, ignored: int) -> None:
        """Count rows that were answered."""
        if monitor := self.monitor(served.model.metadata):
            monitor.counts.add(rows, found.labels)

    def monitor(self, metadata: Mapping[str, Any]) -> Monitor | None:
        """Who counts for a model; nobody when there is nothing to compare with."""
        key = metadata["model_identifier"]
        if key not in self._monitors:
            with self._lock:
                bins = bins_of(metadata)
                monitor = Monitor(metadata, bins, self.folder, self.say) if bins else None
                self._monitors.setdefault(key, monitor)
                if self.folder and not self._storing:
                    self._begin_storing()
        return self._monitors[key]

    def _begin_storing(self) -> None:
        from multiprocessing.util import Finalize
        self._storing = True
        threading.Thread(target=self._keep_storing, daemon=True).start()
        Finalize(None, self.store, exitpriority=1)  # granian's workers end without atexit

    def store(self) -> None:
        """Add to the files what is new."""
        for monitor in filter(None, list(self._monitors.values())):
            if not monitor.counts.is_empty():
                monitor.store()

    def _keep_storing(self) -> None:
        while True:
            time.sleep(EVERY)
            self.store()

    def answer(self) -> Response:
        """Whether what a model is asked still looks like what it was trained on."""
        model = self.endpoint.require().model
        monitor = self.monitor(model.metadata)
        if monitor is None:
            raise Problem(404, f"{model.identifier} {OLD_MODEL}")
        tally, stored = monitor.store()
        return as_json(describe_drift(model.metadata, monitor.bins, tally) | {
            "counted": "all workers" if stored else "this worker alone"})


COUNTING: weakref.WeakSet[Drift] = weakref.WeakSet()  # of this process


def add_routes(app: Flask, endpoint: Endpoint) -> None:
    """Add GET /drift, describe it, and count what is answered."""
    drift = Drift(endpoint, app.logger.warning)
    app.extensions["drift"] = drift
    endpoint.observers.append(drift.observe)
    app.add_url_rule("/drift", "drift", drift.answer)
    endpoint.paths["/drift"] = {"get": {
        "operationId": "drift", "summary": "Whether rows still look like those of the training",
        "parameters": [{"$ref": "#/components/parameters/model"}],
        "responses": answers(json_of({
            "model_name": "string", "model_version": "integer", "rows": "integer",
            "training_rows": "integer", "verdict": "string", "worst": "array",
            "features": "array", "counted": "string"})["content"], "404 503")}}
    COUNTING.add(drift)
    forget_after_forks()


@cache
def forget_after_forks() -> None:
    """Once per process: what is registered there stays, and each new model makes an application."""
    def forget() -> None:
        for drift in list(COUNTING):
            drift.forget()
    os.register_at_fork(after_in_child=forget)
