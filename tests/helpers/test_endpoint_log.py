"""What a line of the endpoint's log says of a path, as another process reads it from a pipe."""

import json
from typing import Any

import pytest

from src.helpers.endpoint_log import Log

SECRET = "secretpw"


def logged(capfd: pytest.CaptureFixture[str], path: str, method: str = "GET") -> dict[str, Any]:
    Log().request({"method": method, "path": path, "status": 404, "id": "x" * 128})
    text = capfd.readouterr().out
    assert text.endswith("\n") and len(text.encode()) <= 4096
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("path", [
    "/http://user:secretpw@host/x", "/http://user:secretpw@host/x\x07", "/http://u:secretpw\n@host",
    "/http://user:a secretpw@host/", "/http://user:\u00a0secretpw@host/", "/http:/u:secretpw@host",
    "/http://host/x?token=secretpw", "/http://u:" + 30 * "secretpw" + 600 * "x" + "@host/",
    "/é/postgresql://me:secretpw@host/db"])
def test_no_password_of_an_address_is_in_it(capfd: pytest.CaptureFixture[str], path: str) -> None:
    assert SECRET not in logged(capfd, path)["path"]


@pytest.mark.parametrize("letter", ["x", " ", "\\", '"', "\x00", "\U0001f427", "a:/", "a:/?b", "@"])
def test_a_long_path_is_cut(capfd: pytest.CaptureFixture[str], letter: str) -> None:
    path = logged(capfd, "/" + letter * 60_000 + "@", method="M" * 9_000)["path"]
    assert path.endswith("...") and len(path) < 2_000


def test_a_usual_path_is_told_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    for path in ("/predict", "/é", "/who@is", "/a b", "/" + "x" * 499):
        assert logged(capfd, path)["path"] == path
