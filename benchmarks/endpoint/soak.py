"""The endpoint under load for a quarter of an hour: errors, memory of each worker, exact counts.

    make train ARGS="--model boosting"
    .venv/bin/python benchmarks/endpoint/soak.py --seconds 900
    .venv/bin/python benchmarks/endpoint/soak.py --seconds 60 --server granian --connections 16

Asks for one row again and again over lines that stay open, without a pause. Prints requests, those
not answered by 200, the memory of each worker after a tenth of the time and at the end, and the
slope between by least squares. Exit code 1 for any error, or for counts in /metrics that are not
what was sent. Linux only.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "serving"))
from process_tree import members  # noqa: E402

EVERY = 5  # seconds between two looks at the memory


def main() -> int:
    options = read_options()
    words = ["--host", "127.0.0.1", "--port", "0", "--workers", str(options.workers),
             "--server", options.server, "--model-name", options.model_name]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [sys.executable, "-m", "src.deploy_endpoint", *words], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        port = int(re.search(r":(\d+) ", server.stdout.readline())[1])
        drain = subprocess.Popen(["cat"], stdin=server.stdout, stdout=subprocess.DEVNULL)
        body = Path(folder) / "body.json"
        body.write_text(json.dumps({"features": ask(port, "/info")["example"]}))
        load = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "serving" / "load.py"), "127.0.0.1",
             str(port), "/predict", str(body), str(options.seconds), str(options.connections)],
            stdout=subprocess.PIPE, text=True)
        samples = watch(server.pid, load)
        sent = json.loads(load.communicate()[0])
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            counted = count(answer.read().decode())
        server.terminate()
        server.wait(30)
        drain.wait(30)
    print(f"{options.server}: {sent['requests']:,} requests in {sent['seconds']:.0f} s, "
          f"{sent['failed']} not answered by 200; p99 {sent['p99_ms']:.1f} ms; /metrics counted "
          f"{counted:,.0f} (up to {options.connections} were in work when the time was up)")
    for worker, found in samples.items():
        later = [each for each in found if each[0] >= options.seconds / 10]
        print(f"worker {worker}: {later[0][1]:.1f} MiB after {later[0][0]:.0f} s, "
              f"{later[-1][1]:.1f} MiB at the end, slope {3600 * slope(later):+.2f} MiB an hour")
    exact = 0 <= counted - sent["requests"] <= options.connections
    return 0 if exact and not sent["failed"] and len(samples) == options.workers else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=900)
    parser.add_argument("--server", choices=["gunicorn", "granian"], default="gunicorn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--model-name", default="iris")
    return parser.parse_args()


def watch(master: int, load: "subprocess.Popen[str]") -> dict[int, list[tuple[float, float]]]:
    """Seconds and MiB of each worker until the load has ended."""
    began, samples = time.monotonic(), {}
    while load.poll() is None:
        time.sleep(EVERY)
        for worker in set(members(master)) - {master, load.pid}:
            try:
                command = Path(f"/proc/{worker}/cmdline").read_bytes()
                text = Path(f"/proc/{worker}/smaps_rollup").read_text()
            except OSError:
                continue
            if b"deploy_endpoint" in command and (size := re.search(r"Rss: +(\d+)", text)):
                samples.setdefault(worker, []).append(
                    (time.monotonic() - began, int(size[1]) / 1024))
    return samples


def slope(found: list[tuple[float, float]]) -> float:
    """MiB per second, by least squares."""
    mean_x, mean_y = (sum(each) / len(found) for each in zip(*found))
    return (sum((x - mean_x) * (y - mean_y) for x, y in found)
            / (sum((x - mean_x) ** 2 for x, _ in found) or 1))


def ask(port: int, path: str) -> dict:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return json.load(answer)


def count(text: str) -> float:
    """The predictions that /metrics has counted."""
    return float(re.search(r'endpoint_requests_total\{route="/predict",status="200"\} (\S+)',
                           text)[1])


if __name__ == "__main__":
    sys.exit(main())
