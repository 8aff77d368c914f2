"""The images and services: what they leave out, and, where an engine answers, that they run."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run, assert_refused, clean_environment, copy_project, run_in

FILES = (".dockerignore", "Dockerfile.api", "Dockerfile.jupyter", "docker-compose.yml",
         "docker-compose.gpu.yml", "tox.ini")
HARD = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
ROW = {"features": [[5.1, 3.5, 1.4, 0.2]]}


def left_out() -> list[str]:
    found = re.search('^ARG LEFT_OUT="(.+)"$', (ROOT / "Dockerfile.api").read_text(), re.M)
    assert found
    return found[1].split()


def test_the_endpoint_answers_without_what_its_image_leaves_out(
    trained: Path, run_stage: Run, free_port: int, tmp_path: Path
) -> None:
    """As in the image: no such package can be imported in any process."""
    for package in left_out():
        name = {"scikit-learn": "sklearn"}.get(package, package)
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(name={name!r})\n")
    words = [sys.executable, "-m", "src.deploy_endpoint", "--port", str(free_port), "--host",
             "127.0.0.1", "--workers", "1", "--model-name", "penguins"]
    environment = clean_environment(PYTHONPATH=str(tmp_path))
    with subprocess.Popen(words, cwd=trained, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            address = f"http://127.0.0.1:{free_port}"
            wait_for(f"{address}/ready")
            info = json.loads(fetch(f"{address}/info"))
            assert "result" in json.loads(fetch(f"{address}/predict",
                                                {"features": info["example"]}))
        finally:
            server.terminate()


def test_a_build_sees_what_is_named_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines()
             if line and not line.startswith("#")]
    assert lines[0] == "*"
    named = {line[1:] for line in lines if line.startswith("!")}
    assert not {name for name in named if name.startswith((".env.", "models", ".venv", ".git"))}
    assert ".env" in named and "data/raw" in named


def fetch(url: str, question: Any = None) -> str:
    data = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: str = answer.read().decode()
    return content


def wait_for(url: str) -> str:
    for _ in range(600):
        try:
            return fetch(url)
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


# ----- with an engine ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with its container files; its images and services are named by it."""
    engine = shutil.which(os.environ.get("ENGINE", "docker"))
    if engine is None or subprocess.run([engine, "info"], capture_output=True).returncode:
        pytest.skip("no container engine answers")
    folder = copy_project(tmp_path_factory.mktemp("containers") / "my prøject")
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in ("docker", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, str]]:
    """Variables that keep images and services of this test apart from the owner's."""
    own = f"ml-skeleton-test-{os.getpid()}"
    yield {"API_IMAGE": f"{own}-api", "JUPYTER_IMAGE": f"{own}-jupyter",
           "COMPOSE_PROJECT_NAME": own}
    docker("image", "rm", "--force", f"{own}-api", f"{own}-jupyter", check=False)


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run([os.environ.get("ENGINE", "docker"), *words], text=True,
                          capture_output=True, timeout=600)
    assert done.returncode == 0 or not check, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image(place: Path, names: dict[str, str]) -> str:
    done = subprocess.run(["make", "docker-build"], cwd=place, env=clean_environment(**names),
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return names["API_IMAGE"]


@pytest.fixture
def started(image: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A container with the trained models mounted, and its address."""
    models = request.getfixturevalue("trained") / "models"
    name = docker("run", "--detach", *HARD, "--publish", "127.0.0.1::5000", "--volume",
                  f"{models}:/app/models:ro", "--env", "DEPLOY_ENDPOINT_MODEL_NAME=penguins", image)
    try:
        port = docker("port", name, "5000/tcp").splitlines()[0].rpartition(":")[2]
        yield name, f"http://127.0.0.1:{port}"
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.mark.docker
def test_a_mounted_model_answers_many_at_once_and_ends_cleanly(started: tuple[str, str]) -> None:
    name, address = started
    wait_for(f"{address}/ready")
    example = {"features": json.loads(fetch(f"{address}/info"))["example"]}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: fetch(f"{address}/predict", example), range(200)))
    assert len({json.loads(answer)["result"][0] for answer in answers}) == 1
    assert docker("exec", name, "id", "-u") != "0"
    assert "all workers" in fetch(f"{address}/drift")
    docker("stop", "--time", "60", name)
    state = json.loads(docker("inspect", "--format", "{{json .State}}", name))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


@pytest.mark.docker
@pytest.mark.parametrize(("variable", "words"), [
    ("DEPLOY_ENDPOINT_PORT=abc", ["DEPLOY_ENDPOINT_PORT", "'abc'"]),
    ("DEPLOY_ENDPOINT_MODEL_NAME=nope", ["'nope'", "iris-v1"]),
    ("MODELS_METADATA_DIR=/empty", ["there is no model", "make train"]),
])
def test_a_wrong_variable_ends_the_container_with_a_line(
    image: str, place: Path, names: dict[str, str], variable: str, words: list[str]
) -> None:
    done = run_in(place, [os.environ.get("ENGINE", "docker"), "run", "--rm", *HARD, "--env",
                          variable, image], check=False)
    assert_refused(done, *words)


@pytest.mark.docker
def test_services_come_up_healthy_and_files_belong_to_the_owner_of_the_folder(
    image: str, place: Path, names: dict[str, str], run_make: Run
) -> None:
    """image: built already, so that compose finds each of its layers."""
    owner = place.stat().st_uid or 1234
    if os.getuid() == 0:
        for path in (place, *place.rglob("*")):
            os.chown(path, owner, owner)
    more = names | {"API_PORT": "0", "JUPYTER_PORT": "0", "JUPYTER_TOKEN": "a-token-of-mine"}
    compose = [os.environ.get("ENGINE", "docker"), "compose"]
    try:
        done = subprocess.run(["make", "up"], cwd=place, text=True, capture_output=True,
                              env=clean_environment(**more))
        assert done.returncode == 0, done.stdout + done.stderr

        def address(service: str, port: str) -> str:
            line = run_in(place, [*compose, "port", service, port], **more).stdout
            return f"http://127.0.0.1:{line.strip().rpartition(':')[2]}"
        assert json.loads(fetch(f"{address('api', '5000')}/predict", ROW))["result"] == ["setosa"]
        assert "all workers" in fetch(f"{address('api', '5000')}/drift")
        drift = run_in(place, [*compose, "exec", "-T", "api", "python", "-m", "src.drift"], **more)
        assert "data/monitoring/iris-v1.json" in drift.stdout
        lab = address("jupyter", "8888")
        with pytest.raises(OSError, match="403"):
            fetch(f"{lab}/api/contents")
        kernels = json.loads(fetch(f"{lab}/api/kernelspecs?token=a-token-of-mine"))
        assert kernels["kernelspecs"]["python3"]["spec"]["display_name"] == "ml-skeleton"
        url = f"{lab}/api/contents/notebooks?token=a-token-of-mine"
        made = json.loads(fetch(url, {"type": "notebook"}))
        assert (place / made["path"]).stat().st_uid == owner
    finally:
        run_make(place, "down", "ARGS=--volumes", **more)


@pytest.mark.docker
def test_the_compose_files_are_valid_with_every_variable_and_a_gpu(place: Path) -> None:
    words = [os.environ.get("ENGINE", "docker"), "compose", "-f", "docker-compose.yml", "-f",
             "docker-compose.gpu.yml", "config", "--format", "json"]
    done = run_in(place, words, API_PORT="5055", API_MODELS_DIR="/mnt/models", API_CPUS="1.5")
    services = json.loads(done.stdout)["services"]
    assert services["api"]["ports"][0]["published"] == "5055"
    assert services["api"]["environment"]["MODELS_METADATA_DIR"] == "/mnt/models/metadata"
    assert services["jupyter"]["build"]["args"]["EXTRAS"] == "jupyter,torch"
