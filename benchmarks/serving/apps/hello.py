"""The floor: a Flask application that says hello, under the endpoint's own server settings."""

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from src.deploy_endpoint import SERVERS  # noqa: E402
from src.helpers.listening import listen  # noqa: E402


def load():
    from flask import Flask
    app = Flask("hello")
    app.add_url_rule("/predict", view_func=lambda: '{"result": ["hello"]}', methods=["POST"])
    return app


if __name__ == "__main__":
    _, port, server, workers = sys.argv
    hello = SimpleNamespace(load=load, keep_up=lambda: None, hang_up=lambda: None)
    import_module(SERVERS[server]).serve(listen("127.0.0.1", int(port)), int(workers), 30, hello,
                                         lambda: None)
