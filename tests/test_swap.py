"""Several models, a token, limits, and other versions taken over under load without a lost request.

No version is trained for this: another one is the first one's files under another number.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, assert_refused, edit_sealed, run_in
from mlmonkey.files import write_text
from prometheus_client.parser import text_string_to_metric_families

from tests.serving import STAGE, Server, serving, until

TOKEN = "canary-of-the-token"
ROW = {"features": [5.8, 3.0, 4.35, 1.3]}


def add_version(project: Path, name: str, version: int,
                change: Callable[[dict[str, Any]], Any] = lambda metadata: None) -> None:
    """Version 1 again under another number, changed."""
    models, first = project / "models", f"{name}-v1"
    for path in models.glob(f"{first}.*"):
        shutil.copy(path, models / path.name.replace(first, f"{name}-v{version}", 1))
    path = models / "metadata" / f"{name}-v{version}.json"
    shutil.copy(models / "metadata" / f"{first}.json", path)

    def edit(metadata: dict[str, Any]) -> None:
        metadata["model_version"] = version
        for artifact in metadata["artifacts"]:
            artifact["file"] = artifact["file"].replace(first, f"{name}-v{version}", 1)
        change(metadata)
    edit_sealed(path, edit)


class Clients:
    """Clients that ask again and again over lines that stay open, and what they were answered."""

    def __init__(self, port: int, count: int) -> None:
        self.statuses: list[Any] = []
        self.versions: list[int] = []
        self.going = True
        self.threads = [threading.Thread(target=self.ask, args=(port,)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, port: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while self.going:
            try:
                line.request("POST", "/predict", json.dumps(ROW), {
                    "Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"})
                answer = line.getresponse()
                content = json.loads(answer.read())
                self.statuses.append(answer.status)
                self.versions.append(content["release"]["model_version"])
            except (OSError, http.client.HTTPException) as error:
                self.statuses.append(repr(error))
                return
            time.sleep(0.01)
        line.close()

    def end(self) -> None:
        self.going = False
        for thread in self.threads:
            thread.join()


def events(server: Server, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == kind]


def spoil(metadata: dict[str, Any]) -> None:
    metadata["golden"]["predictions"][0] = "nonsense"


def rename_a_column(metadata: dict[str, Any]) -> None:
    metadata["schema"][0]["name"] = "other"


@pytest.fixture(scope="module", params=["gunicorn", pytest.param(
    "granian", marks=pytest.mark.slow)])
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory,
           request: pytest.FixtureRequest) -> Iterator[tuple[Server, Path]]:
    project = Path(shutil.copytree(trained, tmp_path_factory.mktemp("swap") / "my prøject"))
    add_version(project, "iris", 2)
    add_version(project, "iris", 3, spoil)
    add_version(project, "iris", 4, rename_a_column)
    add_version(project, "penguins", 2)
    (project / ".env.local").write_text(f"ENDPOINT_TOKEN={TOKEN}\n")
    words = ("--models", "iris,penguins", "--workers", "2", "--server", request.param,
             "--max-rows", "5", "--max-bytes", "2000", "--host", "0.0.0.0")
    with serving(project, project / "log.txt", *words) as running:
        yield running, project


def ask(server: Server, method: str, path: str, body: Any = None,
        **headers: str) -> tuple[int, Any, Any]:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        line.request(method, path, None if body is None else json.dumps(body), {
            "Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}", **headers})
        answer = line.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content[:1] in b"{[" else content.decode(), \
            answer.headers
    finally:
        line.close()


def test_the_token_is_asked_for_and_never_told(server: tuple[Server, Path]) -> None:
    running, project = server
    assert "warning: 0.0.0.0" not in running.text()
    assert '-H "Authorization: Bearer $ENDPOINT_TOKEN"' in running.text()
    status, answer, headers = ask(running, "POST", "/predict", ROW, Authorization="Bearer x")
    assert (status, answer["status"], headers["WWW-Authenticate"][:6]) == (401, 401, "Bearer")
    assert ask(running, "GET", "/health", Authorization="")[0] == 200
    assert ask(running, "POST", "/predict", ROW)[0] == 200
    shown = run_in(project, [*STAGE, "--show-config"]).stdout
    assert TOKEN not in shown + running.text()


def test_models_by_name_and_limits(server: tuple[Server, Path]) -> None:
    running, _ = server
    listed = ask(running, "GET", "/models")[1]
    assert listed["default"] == "iris"
    assert [each["model_name"] for each in listed["models"]] == ["iris", "penguins"]
    row = {"features": ask(running, "GET", "/info?model=penguins")[1]["example"]}
    assert ask(running, "POST", "/predict?model=penguins", row)[1]["release"][
        "model_name"] == "penguins"
    assert ask(running, "POST", "/predict?model=cars", row)[0] == 404
    assert ask(running, "POST", "/predict", {"features": [ROW["features"]] * 6})[0] == 413
    assert ask(running, "POST", "/predict", ROW | {"x": "x" * 2000})[0] == 413
    assert ask(running, "GET", "/info")[1]["limits"] == {"max_bytes": 2000, "max_rows": 5}


def test_a_chunked_body_that_is_too_large_is_refused_with_413(server: tuple[Server, Path]) -> None:
    running, _ = server
    head = (f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as line:
        line.sendall(head + b"1000\r\n" + b" " * 4096 + b"\r\n0\r\n\r\n")
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


def samples(server: Server) -> dict[tuple[str, ...], float]:
    text = ask(server, "GET", "/metrics")[1]
    return {(each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
            for family in text_string_to_metric_families(text) for each in family.samples}


def test_metrics_add_up_over_workers(server: tuple[Server, Path]) -> None:
    running, _ = server
    key = ("endpoint_requests_total", "/predict", "200")
    before, sent = samples(running)[key], 0
    seen: set[str] = set()
    while len(seen) < 2 or sent < 50:
        identifier = ask(running, "POST", "/predict", ROW)[2]["X-Request-ID"]
        seen.add(identifier.partition("-")[0])  # each worker has its own beginning
        sent += 1
        assert sent < 5000
    assert samples(running)[key] == before + sent


def promote(project: Path, run_make: Run, version: int) -> None:
    done = run_make(project, "promote", f"ARGS=--model-name iris --model-version {version}")
    assert f"iris-v{version} is promoted" in done.stdout


def test_another_version_is_taken_over_and_no_request_lost(server: tuple[Server, Path],
                                                           run_make: Run) -> None:
    running, project = server
    clients = Clients(running.port, 8)
    try:
        until(lambda: len(clients.statuses) > 20, running.text)
        promote(project, run_make, 2)
        until(lambda: len(events(running, "swapped")) == 2, running.text)
        promote(project, run_make, 3)
        until(lambda: len(events(running, "refused")) == 1, running.text)
        promote(project, run_make, 4)
        until(lambda: len(events(running, "refused")) == 2, running.text)
        after = len(clients.statuses)
        until(lambda: len(clients.statuses) > after + 20, running.text)
    finally:
        clients.end()
    assert set(clients.statuses) == {200}
    assert set(clients.versions) == {1, 2} and set(clients.versions[-10:]) == {2}
    assert {(each["model"], each["before"]) for each in events(running, "swapped")} == {
        ("iris-v2", "iris-v1")}
    assert len({each["worker"] for each in events(running, "swapped")}) == 2
    golden, columns = (each["reason"] for each in events(running, "refused"))
    assert "golden rows" in golden and "other (number)" in columns
    assert not events(running, "fault")
    key = ("endpoint_model_info", "iris", "HistGradientBoostingClassifier", "2")
    assert samples(running)[key] == 1


def test_what_is_not_promoted_is_taken_on_sighup_only(server: tuple[Server, Path],
                                                      run_make: Run) -> None:
    running, project = server
    edit_sealed(project / "models" / "current.json",
                lambda current: current["models"]["penguins"].update(version=2))
    promote(project, run_make, 2)  # the workers look, and find nothing to do
    time.sleep(3)  # and nothing is what can't be waited for in another way
    assert ask(running, "GET", "/info?model=penguins")[1]["model_version"] == 1
    running.process.send_signal(signal.SIGHUP)
    until(lambda: sum(each["model"] == "penguins-v2" for each in events(running, "swapped")) == 2,
          running.text)
    assert ask(running, "GET", "/info?model=penguins")[1]["model_version"] == 2


def test_a_worker_that_is_replaced_begins_with_the_version_of_all(
        server: tuple[Server, Path]) -> None:
    running, _ = server
    old = {str(each["worker"]) for each in events(running, "swapped")}
    os.kill(int(old.pop()), signal.SIGKILL)

    def new_worker() -> set[str]:
        assert ask(running, "POST", "/predict", ROW)[1]["release"]["model_version"] == 2
        return running.workers() - {str(each["worker"]) for each in events(running, "swapped")}
    until(new_worker, running.text)


@pytest.mark.slow
def test_a_worker_that_cannot_load_ends_nobody_else(server: tuple[Server, Path],
                                                    run_make: Run) -> None:
    """Its file is away: it is tried again, and the other worker answers."""
    running, project = server
    come_to_version_2(running, project, run_make)
    form = project / "models" / "iris-v2.form"
    refused = len(events(running, "refused"))
    form.rename(project / "away")
    os.kill(int(running.workers_alive()[0]), signal.SIGKILL)
    until(lambda: len(events(running, "refused")) > refused, running.text)
    assert events(running, "refused")[-1]["models"][0] == "iris-v2"
    assert ask(running, "POST", "/predict", ROW)[0] == 200
    (project / "away").rename(form)
    until_both_answer(running)


@pytest.mark.slow
def test_a_worker_that_cannot_follow_is_replaced(server: tuple[Server, Path],
                                                 run_make: Run) -> None:
    """As if another worker had decided on version 3, whose golden rows are wrong."""
    running, project = server
    come_to_version_2(running, project, run_make)
    before = running.workers_alive()
    maps = Path(f"/proc/{before[0]}/maps").read_text(encoding="utf-8")
    state = Path(re.findall(r"(/\S+/)counts/counter_", maps)[0]) / "versions.json"
    was = state.read_text(encoding="utf-8")
    write_text(state, was.replace('"iris": 2', '"iris": 3'))
    until(lambda: not set(before) & set(running.workers_alive()), running.text)
    write_text(state, was)
    until_both_answer(running)
    faults = [sum(str(each["worker"]) == worker for each in events(running, "fault"))
              for worker in before]
    assert min(faults) == 3 and max(faults) < 6  # on a busy machine one tries again while it ends


def come_to_version_2(server: Server, project: Path, run_make: Run) -> None:
    """Also where no test before has brought it there; nothing that workers still look at after."""
    if ask(server, "POST", "/predict", ROW)[1]["release"]["model_version"] != 2:
        promote(project, run_make, 2)
    until_both_answer(server)


def until_both_answer(server: Server) -> None:
    def both() -> bool:
        if ask(server, "POST", "/predict", ROW)[1]["release"]["model_version"] != 2:
            return False
        return len(server.workers() & set(server.workers_alive())) == 2
    until(both, server.text)


def test_a_request_in_work_is_answered_when_it_ends(server: tuple[Server, Path]) -> None:
    """The last of these tests: it ends the server."""
    running, _ = server
    content = json.dumps(ROW).encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as line:
        line.sendall(f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(content)}\r\n"
                     f"\r\n".encode() + content[:5])
        time.sleep(0.5)  # until a worker has it in hand
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        line.sendall(content[5:])
        assert line.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert running.process.wait(timeout=30) == 0
    assert "Traceback" not in running.text()


def test_the_script_and_the_application_have_the_same_limits() -> None:
    from mlmonkey.api import MAX_BYTES, MAX_ROWS
    from src.deploy_endpoint import main
    found = {option.name: option.default for option in main.params}
    assert (found["max_bytes"], found["max_rows"]) == (MAX_BYTES, MAX_ROWS)


@pytest.mark.parametrize(("words", "part"), [
    (("--models", "iris,nothing"), "nothing"), (("--models", "iris,"), "''"),
    (("--models", "iris", "--model-name", "cars"), "--models iris already says"),
    (("--max-rows", "0"), "--max-rows"), (("--max-bytes", "1"), "--max-bytes")])
def test_wrong_words_are_refused(trained: Path, run_stage: Run, words: tuple[str, ...],
                                 part: str) -> None:
    assert_refused(run_stage(trained, "deploy-endpoint", *words, check=False), part)


def test_a_token_that_no_header_holds_is_refused(trained: Path, run_stage: Run) -> None:
    done = run_stage(trained, "deploy-endpoint", check=False, ENDPOINT_TOKEN="two words")
    assert_refused(done, "ENDPOINT_TOKEN must be")
    assert "two words" not in done.stdout + done.stderr


def test_promote_needs_a_model_that_is_whole(trained_copy: Path, run_make: Run) -> None:
    assert_refused(run_make(trained_copy, "promote", check=False), "cars-v1", "iris-v1")
    (trained_copy / "models" / "iris-v1.skops").write_bytes(b"")
    for version, part in ((7, "no version 7"), (1, "iris-v1.skops")):
        words = f"ARGS=--model-name iris --model-version {version}"
        assert_refused(run_make(trained_copy, "promote", words, check=False), part)
