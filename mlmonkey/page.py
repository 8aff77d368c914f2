"""GET /: the page to try the model, one file without network."""

import hashlib
import re
from base64 import b64encode
from pathlib import Path

from flask import Flask, Response

from mlmonkey.endpoint import Endpoint

PAGE = Path(__file__).with_name("try_page.html")


def add_routes(app: Flask, endpoint: Endpoint) -> None:
    """Add GET /."""
    page, policy = read_page(PAGE)
    app.add_url_rule("/", "page", lambda: Response(page, mimetype="text/html", headers=policy))


def read_page(path: Path) -> tuple[str, dict[str, str]]:
    """A page, and headers that let it run its own script and style and nothing else."""
    page = path.read_text(encoding="utf-8")
    hashes = {tag: b64encode(hashlib.sha256(text.encode()).digest()).decode()
              for tag, text in re.findall(r"<(script|style)>(.*?)</\1>", page, re.DOTALL)}
    policy = ("default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
              "form-action 'none'; frame-ancestors 'none'; "
              + "; ".join(f"{tag}-src 'sha256-{digest}'" for tag, digest in hashes.items()))
    return page, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
                  "Cache-Control": "no-cache"}
