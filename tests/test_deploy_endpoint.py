"""The real server, as a user starts it: several workers, slow clients, refusals, and its end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from benchmarks.endpoint.hostile import cases, send
import tritonclient.http
from conftest import Run, assert_refused, edit_sealed, run_in
from src.helpers.listening import READ_WITHIN, listen
from src.helpers.processes import cores
from tests.serving import BOTH, LOCAL, STAGE, Server, serving, until


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory,
           request: pytest.FixtureRequest) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log.txt"
    words = ("--model-name", "penguins", "--workers", "2", "--server", request.param)
    with serving(trained, log, *words) as running:
        yield running


@pytest.fixture(scope="module")
def golden(trained: Path) -> dict[str, Any]:
    path = trained / "models" / "metadata" / "penguins-v1.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["golden"]
    return content


def test_it_says_what_it_serves_where(server: Server) -> None:
    text = server.text()
    assert "model penguins-v1, trained" in text
    assert f"penguins-v1 predicts 'species' at http://127.0.0.1:{server.port}" in text
    assert "warning" not in text and "Traceback" not in text


def test_the_line_to_try_works_as_it_is_printed(server: Server) -> None:
    line = next(line for line in server.text().splitlines() if line.strip().startswith("curl"))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    if done.returncode == 127:
        pytest.skip("no curl")
    assert json.loads(done.stdout)["result"][0] in ("Adelie", "Chinstrap", "Gentoo")


def test_routes_answer(server: Server, golden: dict[str, Any]) -> None:
    assert server.ask("GET", "/health") == (200, {"status": "alive"})
    assert server.ask("GET", "/ready") == (200, {"status": "ready", "model": "penguins-v1"})
    assert server.ask("GET", "/info")[1]["target"]["name"] == "species"
    rows = golden["rows"]
    for form in (rows[0], [rows[0]], list(rows[0].values()), [list(rows[0].values())]):
        status, answer = server.ask("POST", "/predict", {"features": form})
        assert (status, answer["result"]) == (200, golden["predictions"][:1])
    assert answer["release"] == {
        "model_name": "penguins", "model_version": 1,
        "model_location": "models/penguins-v1.skops",
        "model_metadata_location": "models/metadata/penguins-v1.json"}
    assert server.ask("POST", "/predict", {"features": rows[0] | {"year": "x"}})[0] == 422
    assert server.ask("POST", "/predict", {})[0] == 422
    assert server.ask("GET", "/predict")[0] == 405


def test_every_worker_answers_as_in_training(server: Server, golden: dict[str, Any]) -> None:
    """A boosting model that predicted before the fork would hang here."""
    body = {"features": golden["rows"], "probabilities": True}

    def one(_: int) -> None:
        status, answer = server.ask("POST", "/predict", body)
        assert status == 200 and answer["result"] == golden["predictions"]
        for was, now in zip(golden["probabilities"], answer["probabilities"], strict=True):
            assert now == pytest.approx(was, rel=1e-9, abs=1e-15)

    def both_have_answered() -> bool:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(32)))
        return len(server.workers()) >= 2

    until(both_have_answered, server.text)


def test_a_client_that_we_did_not_write_is_answered(server: Server, golden: dict[str, Any]) -> None:
    """Triton's client with its own settings: binary tensors, JSON, and compressed."""
    rows = golden["rows"]
    wanted = server.ask("POST", "/predict", {"features": rows, "probabilities": True})[1]
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("penguins") and not client.is_model_ready("penguins", "2")
        for binary, compressed in ((True, None), (False, None), (True, "gzip")):
            inputs = []
            for each in client.get_model_metadata("penguins")["inputs"]:
                values = [row[each["name"]] for row in rows]
                column = np.array([value or b"" for value in values], dtype=object) \
                    if each["datatype"] == "BYTES" else np.array(values, dtype="f8")
                one = tritonclient.http.InferInput(each["name"], [len(rows)], each["datatype"])
                inputs.append(one.set_data_from_numpy(column, binary_data=binary))
            found = client.infer("penguins", inputs, request_compression_algorithm=compressed)
            assert [each.decode() for each in found.as_numpy("prediction")] == wanted["result"]
            assert found.as_numpy("probabilities").tolist() == wanted["probabilities"]
        with pytest.raises(tritonclient.http.InferenceServerException, match="no input 'island'"):
            client.infer("penguins", inputs[1:])


def test_the_master_never_loads_what_a_fork_would_break(server: Server) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("no /proc here")
    loaded = maps.read_text(encoding="utf-8")
    assert "python" in loaded
    assert not re.search(r"sklearn|pandas|numpy|scipy", loaded)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    head = (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999\r\n\r\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(head)
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_pieces_is_read(server: Server, golden: dict[str, Any]) -> None:
    content = json.dumps({"features": golden["rows"][:2]}).encode()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/predict", iter([content[:20], content[20:]]),
                           {"Content-Type": "application/json"}, encode_chunked=True)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert answer["result"] == golden["predictions"][:2]


def test_hostile_requests_are_refused_and_stop_nobody(server: Server,
                                                      golden: dict[str, Any]) -> None:
    """What benchmarks/endpoint/fuzz.py sends by hand, after which a good request is right."""
    body = {"features": golden["rows"][1]}
    for name, case in cases(golden["rows"][1]).items():
        assert send(server.port, case) in case.right, name
        status, answer = server.ask("POST", "/predict", body)
        assert status == 200 and answer["result"] == golden["predictions"][1:2], name
    assert "Traceback" not in server.text()


def test_who_sends_what_nobody_reads_is_hung_up_on(server: Server) -> None:
    """To keep the line gunicorn would read 100 MB to the end, and serve nobody else meanwhile."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(head)
        assert b"\r\nconnection: close\r\n" in line.recv(4096).lower()


def test_slow_clients_do_not_stop_the_others(server: Server) -> None:
    head = (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 500\r\n")
    held = []
    try:
        for number in range(200):
            slow = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            slow.sendall(head + (b'\r\n{"features": [' if number % 2 else b""))
            held.append(slow)
        seconds = []
        for _ in range(20):
            started = time.perf_counter()
            assert server.ask("GET", "/health")[0] == 200
            seconds.append(time.perf_counter() - started)
    finally:
        for slow in held:
            slow.close()
    assert sorted(seconds)[10] < 0.1, seconds


def test_the_log_holds_no_payload(server: Server, golden: dict[str, Any]) -> None:
    server.ask("POST", "/predict?who=somebody", {"features": golden["rows"][0] | {"who": "myself"}})
    until(lambda: "/predict" in server.text(), server.text)
    assert "somebody" not in server.text() and "myself" not in server.text()


def test_a_killed_worker_is_replaced_and_the_others_serve(server: Server,
                                                          golden: dict[str, Any]) -> None:
    body = {"features": golden["rows"]}
    server.ask("POST", "/predict", body)
    until(server.workers, server.text)
    before = server.workers()
    for number in before:
        os.kill(int(number), signal.SIGKILL)
        status, answer = server.ask("POST", "/predict", body)
        assert status == 200 and answer["result"] == golden["predictions"]

    def somebody_new() -> bool:
        server.ask("POST", "/predict", body)
        return bool(server.workers() - before)

    until(somebody_new, server.text)


HEAD = (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 500\r\n")


def read_to_end(line: socket.socket) -> bytes:
    """All that the server says until it closes the line."""
    line.settimeout(20)
    said = b""
    while more := line.recv(4096):
        said += more
    return said


@BOTH
def test_who_sends_too_slowly_is_hung_up_on(trained: Path, tmp_path: Path, kind: str) -> None:
    """A body has --timeout seconds and then 408; headers have what --help says and no answer."""
    words = run_in(trained, [*STAGE, "--help"]).stdout
    found = re.search(r"headers must be there after (\d+)", " ".join(words.split()))
    assert found, words
    with serving(trained, tmp_path / "log.txt", "--model-name", "cars", "--workers", "1",
                 "--timeout", "1", "--server", kind) as server:
        for part, least, most, status in (
                (HEAD + b"\r\n{", 1, int(found[1]), b"HTTP/1.1 408 "),
                (HEAD, int(found[1]) - 0.5, int(found[1]) + 5, b"")):
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
                slow.sendall(part)
                said = read_to_end(slow)
            assert least <= time.monotonic() - began < most
            assert said.startswith(status) and bool(said) == bool(status)
            assert not said or b"\r\nconnection: close\r\n" in said.lower()
            assert b"keep-alive" not in said
        given_up = re.search(r'"status":408,"bytes":\d+,"ms":([\d.]+)', server.text())
        assert given_up and float(given_up[1]) >= 1000, server.text()


def test_who_has_no_token_fills_no_memory(trained: Path, tmp_path: Path) -> None:
    """granian answers before the body is there; gunicorn's application always did."""
    head = HEAD.replace(b"500", b"5000000") + b"\r\n"
    with serving(trained, tmp_path / "log.txt", "--workers", "1", "--model-name", "cars",
                 "--server", "granian", ENDPOINT_TOKEN="long-enough?") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
            line.sendall(head + b" " * 1000)
            assert line.recv(4096).startswith(b"HTTP/1.1 401 ")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gunicorn", "granian"])
def test_a_master_that_is_killed_leaves_nothing(trained: Path, tmp_path: Path,
                                                kind: str) -> None:
    """Its workers end, and the next endpoint clears the folder that they shared."""
    words = ("--workers", "2", "--model-name", "cars", "--server", kind)
    with serving(trained, tmp_path / "log.txt", *words) as server:
        worker = Path("/proc", server.workers_alive()[0])
        maps = (worker / "maps").read_text(encoding="utf-8")
        folder = Path(re.findall(r"(/\S+)/counts/counter_", maps)[0])
        server.process.kill()
        server.process.wait()
        until(lambda: not worker.exists() or "State:\tZ" in (worker / "status").read_text(),
              server.text)
        assert folder.exists()
        with pytest.raises(OSError):
            until(lambda: server.ask("GET", "/health") is None, server.text)
    with serving(trained, tmp_path / "other.txt", *words):
        assert not folder.exists()


@pytest.mark.parametrize(("kind", "number"), [
    ("gunicorn", signal.SIGTERM), ("gunicorn", signal.SIGINT),
    pytest.param("granian", signal.SIGTERM, marks=pytest.mark.slow)])
def test_it_ends_when_told_to_and_answers_first(trained: Path, tmp_path: Path, kind: str,
                                                number: int) -> None:
    """Beside a client that was hung up on, and 16 that ask until nobody listens any more."""
    words = ("--model-path", "models/cars-v1.skops", "--workers", "2", "--timeout", "1",
             "--server", kind)
    with serving(trained, tmp_path / "log.txt", *words) as server:
        slow = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 500\r\n\r\n{")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
        slow.close()
        assert server.ask("GET", "/info")[1]["model_name"] == "cars"
        said: list[str] = []
        clients = [Thread(target=ask_until_it_ends, args=(server.port, said)) for _ in range(16)]
        for client in clients:
            client.start()
        until(lambda: len(said) > 50, server.text)
        started = time.monotonic()
        assert server.end(number) == 0
        assert time.monotonic() - started < 10
        for client in clients:
            client.join()
        if kind == "gunicorn":  # granian cuts lines that are idle just then, as others come to ask
            assert set(said) == {"keep-alive", "close"}, said[-16:]
        assert "Traceback" not in server.text()
        with pytest.raises(OSError):
            server.ask("GET", "/health")


def ask_until_it_ends(port: int, said: list[str]) -> None:
    """Ask without a pause, on a new line after `Connection: close`, and note what came of it."""
    while True:
        line = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            line.connect()
        except OSError:
            return
        try:
            while line.sock:
                line.request("GET", "/info")
                answer = line.getresponse()
                answer.read()
                said.append("close" if answer.will_close else "keep-alive")
        except (OSError, HTTPException) as error:
            said.append(repr(error))
            return
        finally:
            line.close()


def test_an_occupied_port_says_who_may_sit_there(trained: Path, run_stage: Run) -> None:
    occupant = socket.socket()
    try:
        try:
            occupant.bind(("127.0.0.1", 5000))
            occupant.listen()
        except OSError:
            pass  # somebody sits there already, which is as good
        done = run_stage(trained, "deploy-endpoint", "--host", "127.0.0.1", check=False)
    finally:
        occupant.close()
    assert_refused(done, "5000", "AirPlay", "--port 50")


def test_an_occupied_ports_advice_keeps_the_model(trained: Path, run_stage: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        for words in (("--model-name", "iris", "--model-version", "1"),
                      ("--model-path", "models/iris-v1.skops")):
            done = run_stage(trained, "deploy-endpoint", "--host", "127.0.0.1", "--port", port,
                             *words, check=False)
            assert_refused(done, f"port {port} is occupied", f'ARGS="{" ".join(words)} --port ')


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_a_line_has_the_limit_for_who_reads_nothing() -> None:
    with listen("127.0.0.1", 0) as listener, \
            socket.create_connection(listener.getsockname()), listener.accept()[0] as line:
        found = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert found == 1000 * READ_WITHIN


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b", ""])
def test_an_address_of_others_is_refused(trained: Path, run_stage: Run, host: str) -> None:
    done = run_stage(trained, "deploy-endpoint", "--host", host, "--port", "0", check=False)
    assert_refused(done, "--host 127.0.0.1")


def test_a_forbidden_port_is_refused(trained: Path, run_stage: Run) -> None:
    try:
        socket.create_server(("127.0.0.1", 81)).close()
        pytest.skip("this user may listen on port 81")
    except PermissionError:
        pass
    done = run_stage(trained, "deploy-endpoint", "--host", "127.0.0.1", "--port", 81, check=False)
    assert_refused(done, "--port 81", "--port 8080")


@pytest.mark.parametrize(("words", "part"), [
    (("--model-name", "iris", "--model-version", "9"), "no version 9"),
    (("--model-name", "irsi"), "irsi"),
    (("--model-path", "data/raw/iris.csv"), "iris.csv"),
    (("--port", "65536"), "65536"),
    (("--prot", "80"), "--port")])
def test_wrong_words_are_refused(trained: Path, run_stage: Run, words: tuple[str, ...],
                                 part: str) -> None:
    assert_refused(run_stage(trained, "deploy-endpoint", *words, check=False), part)


def test_a_corrupt_model_is_refused_before_it_is_opened(trained_copy: Path,
                                                        run_stage: Run) -> None:
    path = trained_copy / "models" / "iris-v1.skops"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    words = ("deploy-endpoint", "--model-name", "iris", *LOCAL)
    assert_refused(run_stage(trained_copy, *words, check=False), "iris-v1.skops", "sha256")
    path.write_bytes(content[:-100])
    assert_refused(run_stage(trained_copy, *words, check=False), "iris-v1.skops", "bytes")
    path.unlink()
    assert_refused(run_stage(trained_copy, *words, check=False), "iris-v1.skops", "missing")


@BOTH
def test_a_model_whose_numbers_moved_ends_the_server(trained_copy: Path, run_stage: Run,
                                                     kind: str) -> None:
    """Only a worker can see this; one line and exit code 2 all the same, no respawning."""
    path = trained_copy / "models" / "metadata" / "iris-v1.json"
    edit_sealed(path, lambda m: m["golden"]["predictions"].__setitem__(0, "setosa"))
    words = ("--model-name", "iris", "--workers", "2", "--server", kind, *LOCAL)
    done = run_stage(trained_copy, "deploy-endpoint", *words, check=False)
    assert_refused(done, "iris-v1 refuses to answer", "setosa became versicolor")
    assert "curl" not in done.stdout


def test_a_server_that_is_not_installed_is_named(trained: Path) -> None:
    code = ("import sys; sys.modules['granian'] = None; from src.deploy_endpoint import main; "
            "main(['--server', 'granian', '--model-name', 'cars'])")
    done = run_in(trained, [sys.executable, "-c", code], check=False)
    assert_refused(done, "--server granian needs granian", "make init EXTRAS=granian")


def test_the_default_needs_no_extra(trained_copy: Path, tmp_path: Path) -> None:
    (trained_copy / "src" / "extras" / "granian_server.py").unlink()
    with serving(trained_copy, tmp_path / "log.txt", "--model-name", "cars", "--workers", "1"):
        pass


def test_all_interfaces_come_with_a_warning(trained: Path, tmp_path: Path) -> None:
    with serving(trained, tmp_path / "log.txt", "--host", "0.0.0.0", "--workers", "1") as server:
        assert "warning: 0.0.0.0 lets everybody" in server.text()
        assert f"http://localhost:{server.port}" in server.text()


def test_help_and_configuration(project: Path) -> None:
    shown = run_in(project, [*STAGE, "--show-config"]).stdout
    assert re.search(r"host +0\.0\.0\.0", shown) and re.search(r"port +5000", shown)
    words = run_in(project, [*STAGE, "--help"]).stdout
    assert all(word in words for word in ("--model-path", "--workers", "--timeout"))


@pytest.mark.parametrize(("files", "limit"), [
    ({"cpu.max": "150000 100000"}, 1), ({"cpu.max": "max 100000"}, None), ({}, None),
    ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
])
def test_workers_are_as_many_as_the_quota_of_a_container(
    tmp_path: Path, files: dict[str, str], limit: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores(tmp_path) == (limit or cores(tmp_path / "none"))
