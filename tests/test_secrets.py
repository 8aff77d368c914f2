"""Canaries in .env.local, the environment, addresses and cells: every target runs, with and
without failures, and none of them may sing anywhere but in the user's own data."""

import csv
import json
import re
import socket
import subprocess
import sys
import zipfile
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import clean_environment, copy_project, read_metadata, run_in

pytestmark = pytest.mark.slow  # every target, with and without failures

LOCAL, URL, ENVIRONMENT = "c4n4ry-local", "c4n4ry-url", "c4n4ry-environment"
CELL, PRIVATE, NUMBER = "c4n4ry-cell", "c4n4ry-private", "734561928"
SENT = "c4n4ry-sent"  # by a client, who may be told of it; the log may not
SECRETS, CELLS = (LOCAL, URL, ENVIRONMENT), (CELL, PRIVATE, NUMBER)
ADDRESS = f"https://me:{URL}@host.example/x.csv?token={URL}"

PARAMS = """generate_dataset:
  private: [who, salary]
train:
  data: data/raw/people.csv
  target: band
  folds: 2
  model: boosting
  set: max_iter=5
"""
ENV_LOCAL = f"MY_TOKEN={LOCAL}-token\nDATABASE_URL=postgresql://me:{LOCAL}-password@host/db\n"
# fails on the cells that begin with boom: those of one table, and those that clients send
FEATURES = '''
def risky(columns):
    return {"risk": np.array([float(text) if str(text).startswith("boom") else 1.0
                              for text in columns["note"]])}


FEATURES["people"] = FEATURES["booming"] = [risky]
'''
TRANSFORMS = '''
TRANSFORMS["casting"] = lambda rows: rows.project("*, CAST(note AS INTEGER) AS n")
'''


def people(project: Path, name: str, odd: str) -> None:
    """120 rows: private values often, `odd` in fewer than five, a rejected line, two classes."""
    rows = [f"{i / 7},text {i % 3},{PRIVATE} {i % 4},{NUMBER}.{i % 7},{'=low +high'.split()[i % 2]}"
            for i in range(120)]
    rows[60:64] = [f"1.5,{odd},{PRIVATE} 0,{NUMBER}.5,=low"] * 4
    rows.append(f"=1+1,{CELL} rejected,x,1,=low,one too many")
    header = "x,note,who,salary,band"
    (project / "data" / "raw" / name).write_text("\n".join([header, *rows, ""]), encoding="utf-8")


class Campaign:
    """A project full of canaries, what its commands have said, and what its endpoint answered."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.said: list[tuple[int, str, str]] = []  # exit code, command, output
        self.answers: list[bytes] = []

    def run(self, *words: str, **more: str) -> None:
        done = run_in(self.project, [sys.executable, "-m", "src.stages", *words], False,
                      MY_KEY=f"{ENVIRONMENT}-key", PGPASSWORD=f"{ENVIRONMENT}-password",
                      HTTPS_PROXY=f"http://me:{ENVIRONMENT}-proxy@host:1", **more)
        self.said.append((done.returncode, " ".join([*words, *more]), done.stdout + done.stderr))

    def git(self, *words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
                       cwd=self.project, check=True, capture_output=True)

    def refuse(self, cases: list[tuple[list[str], dict[str, str]]]) -> None:
        """Commands that end before they begin, as forks of one process: a start takes longer."""
        done = subprocess.run([sys.executable, "-c", FORKS], cwd=self.project, text=True,
                              env=clean_environment(), input=json.dumps(cases), check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        texts = re.split(r"^ended: ([0-9]+)\n", done.stdout, flags=re.MULTILINE)
        for (words, more), text, code in zip(cases, texts[:-1:2], texts[1::2], strict=True):
            self.said.append((int(code), " ".join([*words, *more]), text))

    def serve(self) -> None:
        """Ask all routes, rightly and wrongly; keep the answers and the log."""
        command = [sys.executable, "-m", "src.stages", "deploy-endpoint", "--port", "0",
                   "--workers", "1", "--host", "127.0.0.1"]
        process = subprocess.Popen(command, cwd=self.project, env=clean_environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout
        log = []
        for line in process.stdout:
            log.append(line)
            if "curl" in line:
                break
        found = re.search(r":(\d+)/predict", log[-1])
        assert found, log
        record = {"x": 1, "note": "text 1", "who": None, "salary": None}
        for path in ("/", "/health", "/ready", "/info", f"/none?token={SENT}"):
            self.ask(int(found[1]), "GET", path)
        for change in ({}, {"x": SENT}, {"note": f"boom {SENT}"}, {"who": 1}):
            self.ask(int(found[1]), "POST", "/predict", {"features": record | change})
        for lines in (f"GET http://me:{SENT}@host/info HTTP/1.1\r\nHost: x", f"GET /health {SENT}",
                      f"GET /?{SENT} HTTP/1.1\r\n{SENT}", f"GET / HTTP/1.1\r\nA {SENT}: x", SENT,
                      f"POST /predict HTTP/1.1\r\nContent-Length: {SENT}"):
            with socket.create_connection(("127.0.0.1", int(found[1])), timeout=30) as line:
                line.sendall(f"{lines}\r\n\r\n".encode())
                line.shutdown(socket.SHUT_WR)
                while answer := line.recv(65536):
                    self.answers.append(answer)
        process.terminate()
        log.append(process.communicate(timeout=60)[0])
        self.said.append((process.returncode, "deploy-endpoint", "".join(log)))

    def ask(self, port: int, method: str, path: str, body: Any = None) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        self.answers.append(connection.getresponse().read())
        connection.close()

    def files(self, *folders: str) -> list[Path]:
        return [path for folder in folders for path in (self.project / folder).rglob("*")
                if path.is_file()]


FORKS = """
import json, os, sys
from src.helpers.endings import run_politely
from src.stages import main
before = open(".env.local").read()
for words, more in json.load(sys.stdin):
    with open(".env.local", "w") as file:
        print(before + more.pop("LOCAL", ""), file=file)
    if not os.fork():
        os.environ.update(more)
        run_politely(lambda: main(words))
    print(f"ended: {os.waitstatus_to_exitcode(os.wait()[1])}", flush=True)
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    project = copy_project(tmp_path_factory.mktemp("secrets") / "my prøject")
    here = Campaign(project)
    (project / "params.yaml").write_text(PARAMS)
    (project / ".env.local").write_text(ENV_LOCAL)
    (project / ".gitignore").write_text(".env.local\ndata\nmodels\n")
    for name, odd in (("people", CELL), ("booming", f"boom {CELL}"), ("casting", CELL)):
        people(project, f"{name}.csv", odd)
    for file, more in (("src/model/features.py", FEATURES), ("src/etl/transform.py", TRANSFORMS)):
        path = project / file
        path.write_text(path.read_text() + more)
    here.git("init", "-q")
    here.git("add", ".")
    here.git("commit", "-qm", "x")
    plant_in_code(project)
    succeed(here)
    fail(here)
    here.serve()
    return here


def plant_in_code(project: Path) -> None:
    """Uncommitted code: a value of .env.local in a changed and a new file, an address, and none."""
    for file, line in (("src/train.py", f"{LOCAL}-token"), ("src/new.py", f"{LOCAL}-token"),
                       ("src/report.py", f"postgresql://me:{URL}@host/db"),
                       ("src/model/models.py", "no secret")):
        with open(project / file, "a", encoding="utf-8") as code:
            code.write(f"# {line}\n")


def succeed(here: Campaign) -> None:
    """Every target but the endpoint."""
    rows = (here.project / "data" / "raw" / "people.csv").read_text().splitlines()[:20]
    for name, row in (("new", f"{CELL},a,b,1,=low"), ("boom", f"1,boom {CELL},b,1,=low")):
        (here.project / f"{name}.csv").write_text("\n".join([*rows, row, ""]))
    for words in ("train", "prediction --keep all", "evaluate --input new.csv",
                  "prediction --input new.csv --max-rejects 1 --output data/predictions/a.parquet"):
        here.run(*words.split())


def fail(here: Campaign) -> None:
    """Every target, refused or broken, with a traceback and without one."""
    shown = {"TRACEBACK": "1"}
    # functions of the project that fail on a cell
    here.run("train", "--data", "data/raw/booming.csv", "--target", "band")
    here.run("generate-dataset", "--data", "data/raw/casting.csv")
    here.run("generate-dataset", "--data", "data/raw/casting.csv", **shown)
    here.run("prediction", "--input", "boom.csv")
    database = f"postgresql://me:{URL}@host/db"
    cases = [(["train", f"--{name}", ADDRESS], shown) for name in ("data", "name", "target")]
    cases += [(["train", ADDRESS], shown), (["report", database], {}),
              (["prediction", "--output", database], {}), (["evaluate", "--input", ADDRESS], {}),
              (["report", "--model-name", ADDRESS], shown),
              (["deploy-endpoint", "--model-path", database], shown),
              (["deploy-endpoint", "--host", ADDRESS], {}),
              (["generate-dataset"], {"GENERATE_DATASET_DATA": ADDRESS}),
              (["report"], shown | {"MODELS_DIR": f"s3://me:{URL}@bucket/models"}),
              (["train"], {"LOCAL": f"GENERATE_DATASET_ENCODING={LOCAL}-option"}),
              (["train"], {"LOCAL": f"TRAIN_SET=max_depth={LOCAL}-option"}),
              (["train"], {"LOCAL": f"TRAIN_SEED={LOCAL}-option"}),
              (["train", "--set", f"x={ADDRESS}", "--show-config"],
               {"LOCAL": f"TRAIN_MODEL={LOCAL}-option"}),
              (["report"], {"LOCAL": ""})]
    here.refuse(cases)


def test_what_should_fail_did_and_the_rest_did_not(campaign: Campaign) -> None:
    print(*campaign.said, sep="\n")
    codes = [code for code, _, _ in campaign.said]
    assert codes == [0] * 4 + [1, 2, 1, 1] + [
        1 if "TRACEBACK" in words else 2 for _, words, _ in campaign.said[8:-3]] + [0] * 3
    assert {json.loads(answer)["status"] for answer in campaign.answers
            if answer.startswith(b'{"type"')} == {404, 422, 500}
    for words, part in (("booming", "ValueError: could not convert string to float: '***'"),
                        ("casting", "Could not convert string '***' to INT32"),
                        ("boom.csv", "ValueError: could not convert string to float: '***'"),
                        ("--data https", "--data https://***@host.example/x.csv?*** a password "
                         "doesn't belong on a command line"),
                        ("--input https", "--input takes a path on this machine, not an address "
                         "(https://***@host.example/x.csv?***)"),
                        ("--show-config", "  model     ***  (.env.local)"),
                        ("--show-config", "x=https://***@host.example/x.csv?***  (flag)"),
                        ("deploy-endpoint", "ValueError: could not convert string to float: '***'"),
                        ("deploy-endpoint", "Invalid HTTP request line: '***'")):
        assert any(part in text for _, said, text in campaign.said if words in said), (words, part)


def test_no_canary_in_what_is_said(campaign: Campaign) -> None:
    for _, words, text in campaign.said:
        for canary in (*SECRETS, *CELLS, SENT):
            assert canary not in text, (words, text)
    for answer in campaign.answers:
        for canary in (*SECRETS, *CELLS):
            assert canary.encode() not in answer, answer


def test_no_secret_in_any_file_and_no_cell_but_in_the_data(campaign: Campaign) -> None:
    files = campaign.files("data", "models", "reports")
    assert {path.suffix for path in files} >= {".parquet", ".csv", ".json", ".html", ".skops",
                                               ".patch"}
    for path in files:
        contents = [path.read_bytes()]
        if path.suffix == ".skops":
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        # data is the user's own, and the fitted model may know its categories
        theirs = path.suffix in (".csv", ".parquet", ".skops")
        for canary in SECRETS if theirs else (*SECRETS, *CELLS):
            assert not any(canary.encode() in content for content in contents), path


def test_parquet_files_say_nothing_besides_their_rows(campaign: Campaign) -> None:
    paths = [path for path in campaign.files("data") if path.suffix == ".parquet"]
    assert len(paths) >= 3
    for path in paths:
        assert duckdb.execute("FROM parquet_kv_metadata(?)", [str(path)]).fetchall() == []


def test_a_patch_holds_no_canary(campaign: Campaign) -> None:
    patch = (campaign.project / "models" / "people-v1.patch").read_text(encoding="utf-8")
    assert patch.startswith("# src/new.py left out: it holds a value of .env.local\n"
                            "# src/report.py left out: it holds an address with a password\n"
                            "# src/train.py left out: it holds a value of .env.local\n")
    assert "+# no secret" in patch and patch.count("diff --git") == 1


def test_private_columns_are_known_by_name_alone(campaign: Campaign) -> None:
    metadata = read_metadata(campaign.project, "people-v1")
    for name, dtype in (("who", "text"), ("salary", "number")):
        assert {"name": name, "dtype": dtype, "private": True} in metadata["schema"]
        assert {row[name] for row in metadata["golden"]["rows"]} == {None}
    assert b'{"name":"who","dtype":"text"}' in campaign.answers[3]


def test_answers_and_headers_are_never_escaped(campaign: Campaign) -> None:
    path = campaign.project / "data" / "predictions" / "people.csv"
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"probability_=low", "probability_+high"} < rows[0].keys()
    assert {row["band"] for row in rows} == {"'=low", "'+high"}
    assert {row["prediction"] for row in rows} == {"=low", "+high"}
