"""GET /metrics in Prometheus's form, added up over all workers of the endpoint.

Each worker counts in files of its own, and the one that is asked adds all of them up, those of
workers that are dead too. These are prometheus_client's multiprocess files, written without its
Counter and Histogram, which would take three times as long: 10 us of a request.

    endpoint_requests_total{route, status}    answers; errors are those from 400 on
    endpoint_request_seconds{route}           histogram of the time that an answer took
    endpoint_rows_total{model_name}           rows that were predicted
    endpoint_ignored_keys_total{model_name}   keys of requests that the model doesn't know
    endpoint_model_info{model_name, ...}      1 for each model that answers
"""

import os
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

from flask import Flask, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from mlmonkey.endpoint import Endpoint
from mlmonkey.openapi_schemas import answers

SECONDS = (.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1., 2.5, 10.)


class Number:
    """A number that other processes see; a dead worker's goes on when its process number does."""

    __slots__ = ("file", "key", "value")

    def __init__(self, file: MmapedDict, metric: str, suffix: str, help_text: str,
                 **labels: str) -> None:
        self.file = file
        self.key = mmap_key(metric, metric + suffix, list(labels), list(labels.values()), help_text)
        self.value: float = file.read_value(self.key)[0]

    def add(self, amount: float) -> None:
        """Count."""
        self.value += amount
        self.file.write_value(self.key, self.value, 0.)


class Metrics:
    """The counts of one worker, in a folder that all workers share."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        self.endpoint, self.folder = endpoint, folder
        self.totals, self.histograms = (MmapedDict(str(folder / f"{kind}_{os.getpid()}.db"))
                                        for kind in ("counter", "histogram"))
        self.requests: dict[tuple[str, int], Number] = {}
        self.seconds: dict[str, tuple[Number, list[Number]]] = {}
        self.rows: dict[str, tuple[Number, Number]] = {}

    def add_routes(self, app: Flask) -> None:
        """Add GET /metrics, and describe it."""
        app.add_url_rule("/metrics", "metrics", lambda: Response(
            self.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4))
        self.endpoint.paths["/metrics"] = {"get": {
            "operationId": "metrics", "summary": "What all workers counted, for Prometheus",
            "responses": answers({"text/plain": {"schema": {"type": "string"}}}, "")}}

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        answers, times = self.requests.get((route, status)), self.seconds.get(route)
        if answers is None:
            answers = self.requests[route, status] = Number(
                self.totals, "endpoint_requests", "_total",
                "Answers; errors are those from 400 on.", route=route, status=str(status))
        if times is None:
            name, text = "endpoint_request_seconds", "Time that an answer took."
            times = self.seconds[route] = Number(
                self.histograms, name, "_sum", text, route=route), [
                Number(self.histograms, name, "_bucket", text, route=route, le=limit)
                for limit in (*map(str, SECONDS), "+Inf")]
        answers.add(1)
        times[0].add(seconds)
        times[1][bisect_left(SECONDS, seconds)].add(1)

    def count_rows(self, name: str, rows: int, ignored: int) -> None:
        """Count what a model predicted."""
        counts = self.rows.get(name)
        if counts is None:
            counts = self.rows[name] = (
                Number(self.totals, "endpoint_rows", "_total", "Rows that were predicted.",
                       model_name=name),
                Number(self.totals, "endpoint_ignored_keys", "_total",
                       "Keys of requests that the model doesn't know.", model_name=name))
        counts[0].add(rows)
        if ignored:
            counts[1].add(ignored)

    def exposition(self) -> bytes:
        """All that every worker counted, as text."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """The files' sums, and which models this worker answers with, as all do or soon will.

        A worker that begins makes its files empty, and gives them a size a moment later.
        """
        yield from MultiProcessCollector.merge(
            [str(path) for path in self.folder.glob("*.db") if path.stat().st_size])
        family = GaugeMetricFamily("endpoint_model_info", "1 for each model that answers.",
                                   labels=["model_name", "model_version", "model_type"])
        for name in self.endpoint.names():
            info = self.endpoint.require(name).info
            family.add_metric([name, str(info["model_version"]), info["model_type"]], 1)
        yield family
