"""Who serves: with which packages, by which command, asked and answering in which form."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PINS = dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.M))
# what the model was fitted and saved with: everybody serves the same file
MODEL = [f"{name}=={PINS[name]}" for name in ("joblib", "numpy", "pandas", "scikit-learn")]


class Peer(NamedTuple):
    """A way to serve.

    Args:
        words: the command; {port} and {workers} are filled in, the first word is a file of apps/
            or -m for a module.
        packages: of its environment; none: the project's own.
        form: makes the body from the case and rows; finds the labels in an answer.
        checked: whether its answers are compared; hello has none to compare.
    """

    words: Sequence[str]
    packages: Sequence[str] = ()
    path: str = "/predict"
    ask: Callable[[dict[str, Any], list[Any]], Any] = lambda case, rows: {"features": rows}
    labels: Callable[[Any], Any] = lambda answer: answer["result"]
    checked: bool = True

    def command(self, python: str, port: int, workers: int) -> list[str]:
        """The words to start it with."""
        first, *rest = (word.format(port=port, workers=workers) for word in self.words)
        return [python, first if first == "-m" else str(HERE / "apps" / first), *rest]


def ask_mlflow(case: dict[str, Any], rows: list[Any]) -> Any:
    """Its scoring protocol's shortest form."""
    return {"dataframe_split": {"columns": case["columns"], "data": rows}}


def ask_mlserver(case: dict[str, Any], rows: list[Any]) -> Any:
    """The Open Inference Protocol, a table as one input per column."""
    inputs = []
    for name, values in zip(case["columns"], zip(*rows)):
        text = name in case["text"]
        inputs.append({"name": name, "shape": [len(rows), 1], "data": values,
                       "datatype": "BYTES" if text else "FP64",
                       "parameters": {"content_type": "str" if text else "np"}})
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def ours(server: str) -> Peer:
    """The endpoint as `make deploy-endpoint` starts it."""
    return Peer(["-m", "src.deploy_endpoint", "--host", "127.0.0.1", "--port", "{port}",
                 "--workers", "{workers}", "--server", server])


def hello(server: str) -> Peer:
    """The floor under the endpoint."""
    return Peer(["hello.py", "{port}", server, "{workers}"], checked=False)


PEERS = {
    "ours": ours("gunicorn"),
    "ours:granian": ours("granian"),
    "hello": hello("gunicorn"),
    "hello:granian": hello("granian"),
    "flask": Peer(["-m", "gunicorn", "--chdir", str(HERE / "apps"), "--bind", "127.0.0.1:{port}",
                   "--workers", "{workers}", "--threads", "4", "naive:app"],
                  [*MODEL, f"flask=={PINS['flask']}", f"gunicorn=={PINS['gunicorn']}"]),
    "fastapi": Peer(["-m", "uvicorn", "--app-dir", str(HERE / "apps"), "--host", "127.0.0.1",
                     "--port", "{port}", "--workers", "{workers}", "fast:app"],
                    [*MODEL, "fastapi==0.165.0", "uvicorn[standard]==0.54.0"]),
    "mlflow": Peer(["ml_flow.py", "{port}"], [*MODEL, "mlflow==3.17.2"], path="/invocations",
                   ask=ask_mlflow, labels=lambda answer: answer["predictions"]),
    "bentoml": Peer(["-m", "bentoml", "serve", "--working-dir", str(HERE / "apps"), "--host",
                     "127.0.0.1", "--port", "{port}", "bento:Service"],
                    [*MODEL, "bentoml==1.4.39"], labels=lambda answer: answer),
    "litserve": Peer(["lit.py", "{port}"], [*MODEL, "litserve==0.2.19"]),
    "mlserver": Peer(["ml_server.py", "{port}"],
                     [*MODEL, "mlserver==1.7.1", "mlserver-sklearn==1.7.1",
                      "uvloop==0.21.0"],  # newer ones make no event loop by themselves
                     path="/v2/models/served/infer", ask=ask_mlserver,
                     labels=lambda answer: answer["outputs"][0]["data"]),
}
