"""Versions taken over and over under full load: lost requests, and what the clients waited.

    make train ARGS="--model boosting"
    .venv/bin/python benchmarks/endpoint/swap.py --swaps 20
    .venv/bin/python benchmarks/endpoint/swap.py --server granian --connections 32

In a copy of the models folder, version 1 of a name is there twice; `src.promote` chooses one, then
the other, while clients ask on lines that stay open. Prints requests, those lost (no answer, or
another than 200), the slowest answer without and with swaps, and how long it took from the
promotion until all workers answered with the version. Exit code 1 for a lost request, or workers
that don't agree in the end.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from mlmonkey.files import write_json  # noqa: E402
from mlmonkey.sealed import sealed  # noqa: E402


def main() -> int:
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        models = copy_twice(options.model_name, Path(folder) / "models")
        here = os.environ | {"MODELS_DIR": str(models), "MODELS_METADATA_DIR":
                             str(models / "metadata"), "MONITORING_DIR": f"{folder}/monitoring"}
        log = Path(folder) / "log"
        with open(log, "wb") as file:
            server = subprocess.Popen(
                [sys.executable, "-m", "src.deploy_endpoint", "--host", "127.0.0.1", "--port", "0",
                 "--workers", "2", "--server", options.server, "--model-name", options.model_name],
                cwd=ROOT, env=here, stdout=file, stderr=file)
        try:
            port = wait_for(lambda: re.search(r"http://[\d.]+:(\d+) ", log.read_text()))[1]
            clients = Clients(int(port), options.connections)
            time.sleep(3)
            calm = clients.slowest(0)
            began, took = len(clients.found), []
            for number in range(options.swaps):
                took.append(swap(options.model_name, 2 - number % 2, here, log))
            found = clients.end()
        finally:
            server.terminate()
            server.wait(30)
    lost = [status for status, _, _ in found if status != 200]
    last = {version for _, _, version in found[-options.connections:]}
    print(f"{options.server}: {options.swaps} swaps under {options.connections} lines, "
          f"{len(found):,} requests, {len(lost)} lost; slowest answer {calm:.0f} ms without swaps, "
          f"{clients.slowest(began):.0f} ms with them; all workers changed after "
          f"{sum(took) / len(took):.1f} s in the mean, {max(took):.1f} s at most")
    return 1 if lost or len(last) != 1 else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--server", choices=["gunicorn", "granian"], default="gunicorn")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--model-name", default="iris")
    return parser.parse_args()


def copy_twice(name: str, models: Path) -> Path:
    """A models folder in which version 1 is also version 2."""
    first, second = f"{name}-v1", f"{name}-v2"
    (models / "metadata").mkdir(parents=True)
    for path in (ROOT / "models").glob(f"{first}.*"):
        for identifier in (first, second):
            shutil.copy(path, models / path.name.replace(first, identifier, 1))
    content = json.loads((ROOT / "models" / "metadata" / f"{first}.json").read_text())
    write_json(models / "metadata" / f"{first}.json", content)
    content["model_version"] = 2
    for artifact in content["artifacts"]:
        artifact["file"] = artifact["file"].replace(first, second, 1)
    del content["content_sha256"]
    write_json(models / "metadata" / f"{second}.json", sealed(content))
    write_json(models / "current.json", sealed(
        {"default": name, "models": {name: {"version": 1, "promoted": True}}}))
    return models


def swap(name: str, version: int, here: dict[str, str], log: Path) -> float:
    """Promote; seconds until both workers have said that they answer with it."""
    before = log.read_text().count('"event":"swapped"')
    subprocess.run([sys.executable, "-m", "src.promote", "--model-name", name,
                    "--model-version", str(version)], cwd=ROOT, env=here, check=True,
                   stdout=subprocess.DEVNULL)
    began = time.monotonic()
    wait_for(lambda: log.read_text().count('"event":"swapped"') == before + 2)
    return time.monotonic() - began


def wait_for(found):
    """What the function gives at last."""
    deadline = time.monotonic() + 120
    while not (value := found()):
        if time.monotonic() > deadline:
            raise SystemExit("error: waited for two minutes in vain")
        time.sleep(0.05)
    return value


class Clients:
    """Clients on lines that stay open: status, milliseconds and version of each answer."""

    def __init__(self, port: int, count: int) -> None:
        self.port, self.going, self.found = port, True, []
        line = HTTPConnection("127.0.0.1", port)
        line.request("GET", "/info")
        self.body = json.dumps({"features": json.loads(line.getresponse().read())["example"]})
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self) -> None:
        line = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while self.going:
            began = time.perf_counter()
            try:
                line.request("POST", "/predict", self.body, {"Content-Type": "application/json"})
                answer = line.getresponse()
                version = json.loads(answer.read())["release"]["model_version"]
                status = answer.status
            except (OSError, HTTPException, KeyError) as error:
                status, version = repr(error), None
                line.close()
            self.found.append((status, 1e3 * (time.perf_counter() - began), version))

    def slowest(self, since: int) -> float:
        """Milliseconds."""
        return max(each[1] for each in self.found[since:])

    def end(self) -> list:
        self.going = False
        for thread in self.threads:
            thread.join()
        return self.found


if __name__ == "__main__":
    sys.exit(main())
