"""Which versions an endpoint's workers answer with, and how all of them come to another one.

A worker looks once a second whether current.json has changed, or whether the master was told so by
SIGHUP. The first one that notices loads the new version beside the old one, which answers on, and
notes in the folder that the processes share whether it will do; the others then do the same. So
all workers end on one version, those that start later too, and no request waits or is lost.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mlmonkey.current import read_current
from mlmonkey.errors import UserError
from mlmonkey.files import write_text
from mlmonkey.redact import traceback_without_cells
from mlmonkey.store import ModelId, ModelStore
from src.settings import relative

if TYPE_CHECKING:  # the master must not import what a fork would break
    from flask import Flask

    from mlmonkey.store import LoadedModel
    from src.helpers.endpoint_log import Log

MOST_TRIES = 3  # a version that ends the worker that loads it is not tried for ever
PAUSE = 10  # seconds until another worker tries what one could not load, a second of work


class Deployment:
    """The models of one endpoint, as its master and its workers see them.

    Args:
        chosen: what to begin with, the default first.
        pinned: whether these versions were asked for, so that no other one takes their place.
        folder: an empty one, shared by the processes.
        make_app: the application for models and the log of this worker.
    """

    def __init__(self, store: ModelStore, chosen: Sequence[ModelId], pinned: bool, folder: Path,
                 make_app: "Callable[[list[LoadedModel], Log], Flask]") -> None:
        self.store, self.pinned, self.folder, self.make_app = store, pinned, folder, make_app
        self.state, self.asked = folder / "versions.json", folder / "asked"
        self.answered = folder / "answered"
        self.write(dict(chosen), [None, None])  # so that workers look at once

    def hang_up(self) -> None:
        """Tell the workers, from the master, to look for other versions."""
        write_text(self.asked, "")

    def load(self) -> "Flask":
        """Load the models in this worker and make the application.

        Raises:
            UserError: when a model is refused, and no worker has loaded what is served yet: this
                ends the endpoint. Later only this worker ends.
        """
        from src.helpers.endpoint_log import Log
        state = self.read()
        self.handled, self.failures, self.log = state["signs"], 0, Log()
        try:
            models = [self.load_checked(ModelId(*each)) for each in state["versions"].items()]
            app = self.make_app(models, self.log)
        except Exception as error:  # src/model/features.py may be half written
            if self.has_answered():
                self.end_later(state["versions"], error)
            raise
        self.endpoint = app.extensions["endpoint"]
        self.answered.touch()
        return app

    def has_answered(self) -> bool:
        """Whether a worker of this endpoint has ever loaded its models."""
        return self.answered.exists()

    def end_later(self, versions: Mapping[str, int], error: Exception) -> NoReturn:
        """End this worker after a pause; the master starts another one, which imports afresh."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)  # nothing is in work here
        self.log.event("refused", models=[str(ModelId(*each)) for each in versions.items()],
                       reason=reason_of(error), again=PAUSE)
        time.sleep(PAUSE)
        os._exit(0)

    def load_checked(self, identifier: ModelId) -> "LoadedModel":
        """Load a model, replay its golden rows, and let it answer its example over HTTP once."""
        from mlmonkey.api import create_app
        from mlmonkey.schema import example_row
        model = self.store.load(identifier)
        question = {"features": example_row(model.metadata["schema"])}
        answer = create_app(model, {}).test_client().post("/predict", json=question)
        if answer.status_code != 200:
            raise UserError(f"{identifier} does not answer its own example row: {answer.text}")
        return model

    def keep_up(self) -> None:
        """Come to another version where one was chosen; each second, beside the requests."""
        try:
            signs = self.signs()
            if signs != self.handled:
                with open(self.folder / "lock", "a") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    if self.read()["signs"] != signs:  # else another worker was quicker
                        self.decide(signs)
                self.handled = signs
            for identifier in map(ModelId._make, self.read()["versions"].items()):
                if identifier != self.serving(identifier.name).identifier:
                    self.follow(identifier)
        except Exception as error:  # whatever it was: the endpoint answers on, and looks again
            self.log.event("fault", reason=reason_of(error))

    def decide(self, signs: list[Any]) -> None:
        """Load what was chosen, serve it here, and note that it is what all shall serve."""
        state = self.read()
        versions, asked = state["versions"], state["signs"][1] != signs[1]
        tries = state["tries"] + 1 if state["tried"] == signs else 1
        self.write(versions, state["signs"], signs, tries)
        for name in versions:
            wanted = None
            try:
                wanted = self.wanted(name, asked)
                if wanted.version == versions[name]:
                    continue
                if tries > MOST_TRIES:
                    raise UserError("each worker that loaded it ended")
                self.check_columns(wanted, asked)
                self.serve(self.load_checked(wanted))
                versions[name] = wanted.version
            except Exception as error:  # whatever a model raises that can't be loaded here
                self.log.event("refused", model=str(wanted or name), reason=reason_of(error),
                               answers=str(ModelId(name, versions[name])))
        self.write(versions, signs)

    def follow(self, identifier: ModelId) -> None:
        """Serve what another worker decided on; who can't ends, for a new worker's memory is empty.

        Raises:
            Exception: whatever a model raises that can't be loaded here.
        """
        try:
            self.serve(self.load_checked(identifier))
            self.failures = 0
        except Exception:
            self.failures += 1
            if self.failures == MOST_TRIES:
                os.kill(os.getpid(), signal.SIGTERM)
            raise

    def wanted(self, name: str, asked: bool) -> ModelId:
        """The version of this name to serve: the promoted one; when asked, the newest otherwise."""
        now = self.serving(name).identifier
        if self.pinned:
            return now
        if asked:
            return self.store.choose(name)
        chosen = read_current(self.store.models)["models"].get(name, {})
        return ModelId(name, chosen["version"]) if chosen.get("promoted") else now

    def check_columns(self, wanted: ModelId, asked: bool) -> None:
        """Refuse a version with other input columns, unless it was asked for."""
        new, old = (inputs(each) for each in (self.store.read_metadata(wanted),
                                              self.serving(wanted.name).metadata))
        if list(new.items()) != list(old.items()) and not asked:
            differing = [f"{column} ({dtype})" for column, dtype in {**old, **new}.items()
                         if old.get(column) != new.get(column)] or ["their order"]
            raise UserError(f"its input columns differ: {', '.join(differing)}; SIGHUP takes it "
                            "all the same")

    def serving(self, name: str) -> "LoadedModel":
        """What this worker answers with under a name."""
        model: LoadedModel = self.endpoint.require(name).model
        return model

    def serve(self, model: "LoadedModel") -> None:
        """Answer with this model from now on, in this worker."""
        before = self.serving(model.identifier.name).identifier
        self.endpoint.serve(model, release_of(self.store, model))
        self.log.event("swapped", model=str(model.identifier), before=str(before))

    def signs(self) -> list[Any]:
        """What changes when current.json does, and what does when the master was asked."""
        return [stamp(self.store.models / "current.json"), stamp(self.asked)]

    def read(self) -> dict[str, Any]:
        """What the processes share: the versions, and the signs that led to them."""
        content: dict[str, Any] = json.loads(self.state.read_text(encoding="utf-8"))
        return content

    def write(self, versions: Mapping[str, int], signs: list[Any], tried: Any = None,
              tries: int = 0) -> None:
        """Share this."""
        write_text(self.state, json.dumps({"versions": versions, "signs": signs, "tried": tried,
                                           "tries": tries}))


def reason_of(error: Exception) -> str:
    """What the log says: our own words of a refusal, else where it was and never with what."""
    return str(error) if isinstance(error, UserError) else traceback_without_cells(error)


def inputs(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The input columns and their kinds, in the order in which lists hold them."""
    return {each["name"]: each["dtype"] for each in metadata["schema"]}


def release_of(store: ModelStore, model: "LoadedModel") -> dict[str, Any]:
    """What each answer says about the model."""
    file = next(each["file"] for each in model.metadata["artifacts"] if each["role"] == "model")
    return {"model_name": model.identifier.name, "model_version": model.identifier.version,
            "model_location": relative(store.models / file),
            "model_metadata_location": relative(store.metadata_path(model.identifier))}


def stamp(path: Path) -> list[int] | None:
    """What changes whenever a file is replaced; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_ino, status.st_size]
