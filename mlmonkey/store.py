"""Where models live and how they are loaded: one store, one loader, for every command.

A model is `<name>-v<N>.<ext>` in the models folder and `<name>-v<N>.json` in the metadata folder.
The metadata is written last: without metadata there is no model. The loader trusts nothing: the
name's pattern, then the real path inside the models folder, then a regular file, its size, its
sha256, its format, and at last the golden rows, which must give the numbers they gave in training.
A hash beside a file stops accidents, not somebody who can write both.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlmonkey.errors import UserError
from mlmonkey.files import lock, sha256_of_text, try_lock, write_json
from mlmonkey.golden import Prediction, golden_difference, moved_versions, predict_with
from mlmonkey.model_files import deserialize

NAME_PATTERN = re.compile(r"\w[\w .+-]{0,99}")
VERSION_PATTERN = re.compile(rf"(?P<name>{NAME_PATTERN.pattern})-v(?P<version>[1-9]\d{{0,8}})")
FORMATS = {".skops": "skops", ".joblib": "joblib"}
REFUSED = {".pkl": "a pickle runs code when it is opened", ".pt": "it is a pickle inside",
           ".pickle": "a pickle runs code when it is opened"}


class ModelId(NamedTuple):
    """Name and version of one trained model."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}-v{self.version}"


@dataclass(frozen=True)
class LoadedModel:
    """A model whose bytes and numbers have been checked, with its metadata."""

    identifier: ModelId
    metadata: dict[str, Any]
    estimator: Any

    @property
    def classes(self) -> list[Any] | None:
        """The labels in the order of the probabilities' columns; None for regression."""
        classes: list[Any] | None = self.metadata["target"].get("classes")
        return classes

    def predict(self, frame: Any) -> Prediction:
        """Predict for a canonical frame (n, features); see mlmonkey.schema."""
        return predict_with(self.estimator, frame)


@dataclass(frozen=True)
class ModelStore:
    """The models of one project.

    Args:
        models: folder of the artifacts and current.json.
        metadata: folder of the metadata JSON files, and nothing else.
        trusted: types of our own that a skops file may name; lives in code, never beside a model.
        code: role -> path of project text that a model may be tied to (such as `features`).
    """

    models: Path
    metadata: Path
    trusted: Sequence[str] = ()
    code: Mapping[str, Path] | None = None

    def identifiers(self) -> list[ModelId]:
        """Every complete model, by name, then by version."""
        found = (parse_identifier(path.stem) for path in self.metadata.glob("*.json"))
        return sorted(identifier for identifier in found if identifier)

    def read_metadata(self, identifier: ModelId) -> dict[str, Any]:
        """The metadata of one model, as it stands on disk.

        Raises:
            UserError: when there is none, or it isn't that model's.
        """
        path = self.metadata_path(identifier)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"there is no model {identifier}: {path} is missing; "
                            f"known: {self._known()}") from None
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); train anew: make train") from None
        if not isinstance(content, dict) or (content.get("model_name"), content.get(
                "model_version")) != tuple(identifier):
            raise UserError(f"{path} is not the metadata of {identifier}, but of another model; "
                            "put the right file back or train anew: make train")
        return content

    def metadata_path(self, identifier: ModelId) -> Path:
        """Where the metadata of a model is."""
        return self.metadata / f"{identifier}.json"

    def current(self) -> dict[str, Any]:
        """What current.json says: the default name, and the selected version of each name."""
        path = self.models / "current.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"default": None, "models": {}}
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); remove it and choose again: "
                            "make train") from None
        if not isinstance(content, dict) or not isinstance(content.get("models"), dict):
            raise UserError(f"{path} is damaged; remove it and choose again: make train")
        return content

    def select(self, identifier: ModelId) -> bool:
        """Make a version its name's choice, and its name the default, unless one is promoted.

        Returns:
            False when a promoted version of this name keeps its place.
        """
        with self._locked("current.json"):
            current = self.current()
            models, default = current["models"], current.get("default")
            kept = models.get(identifier.name, {}).get("promoted", False)
            if not kept:
                models[identifier.name] = {"version": identifier.version, "promoted": False}
            if not models.get(default, {}).get("promoted", False):
                current["default"] = identifier.name
            write_json(self.models / "current.json", current)
        return not kept

    def choose(self, name: str | None = None, version: int | None = None,
               path: Path | None = None) -> ModelId:
        """Find the model meant by a name, a name and version, a file, or nothing (the default).

        Raises:
            UserError: when there is no such model; names what there is.
        """
        known = self.identifiers()
        if path is not None:
            identifier = parse_identifier(path.name.removesuffix(path.suffix))
            if identifier is None or path.suffix not in FORMATS:
                reason = REFUSED.get(path.suffix, "a model is called <name>-v<N>.skops")
                raise UserError(f"{path} is not a model file ({reason}); known: {self._known()}")
            return identifier
        if not known:
            raise UserError(f"there is no model in {self.metadata}; train one: make train")
        current = self.current()
        if name is None:
            name = current.get("default") or known[-1].name
        versions = [identifier.version for identifier in known if identifier.name == name]
        if not versions:
            raise UserError(f"there is no model called {name!r}; known: {self._known()}")
        if version is None:
            chosen = current["models"].get(name, {}).get("version")
            version = chosen if chosen in versions else versions[-1]
        if version not in versions:
            raise UserError(f"there is no version {version} of {name!r}; "
                            f"known: {self._known(name)}")
        return ModelId(name, version)

    def load(self, identifier: ModelId, replay: bool = True) -> LoadedModel:
        """Load a model after checking its bytes, and replay its golden rows.

        Raises:
            UserError: naming the file, when anything differs from what training recorded.
        """
        metadata, contents = self.check(identifier)
        file = next(a["file"] for a in metadata["artifacts"] if a["role"] == "model")
        estimator = deserialize(contents["model"], FORMATS[Path(file).suffix], self.trusted, file)
        model = LoadedModel(identifier, metadata, estimator)
        if replay:
            self.replay(model)
        return model

    def check(self, identifier: ModelId) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Metadata of a model and the bytes of its files by role, checked, nothing deserialized.

        Raises:
            UserError: naming the file that is missing, damaged or another's.
        """
        metadata = self.read_metadata(identifier)
        contents = {artifact["role"]: self._checked_bytes(artifact, identifier)
                    for artifact in metadata.get("artifacts", [])}
        if "model" not in contents:
            raise UserError(f"{self.metadata_path(identifier)} names no model file; "
                            "train anew: make train")
        self._check_code(identifier, contents)
        return metadata, contents

    def replay(self, model: LoadedModel) -> None:
        """Predict the golden rows again.

        Raises:
            UserError: when a label, or a number beyond 1e-9 relative, differs from training.
        """
        difference = golden_difference(model.estimator, model.metadata["golden"],
                                       model.metadata["schema"])
        if difference:
            moved = moved_versions(model.metadata)
            raise UserError(
                f"{model.identifier} refuses to answer: its golden rows give other numbers than "
                f"in training ({difference}{'; ' + moved if moved else ''}); train anew here: "
                "make train, or install the recorded versions (environment block of "
                f"{self.metadata_path(model.identifier)})")

    @contextmanager
    def claim(self, name: str) -> Iterator[ModelId]:
        """Reserve the next free version of a name for one training, against all others.

        The claim is a locked file: its owner is alive while the lock is held. What a training
        without metadata leaves is removed here, or by the next training when it was killed.
        """
        self.models.mkdir(parents=True, exist_ok=True)
        self.metadata.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        with self._locked("claims"):
            identifier = self._next(name)
            path = self.models / f".claim-{identifier}"
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
            file = os.fdopen(handle, "w")
            try_lock(file)
        try:
            yield identifier
        finally:
            if not self.metadata_path(identifier).exists():
                self._remove_artifacts(identifier)
            path.unlink(missing_ok=True)
            file.close()

    def _next(self, name: str) -> ModelId:
        names = [path.name for path in self.models.iterdir()]
        taken = [parse_identifier(_stem(name)) for name in names]
        taken += [parse_identifier(name.removeprefix(".claim-")) for name in names]
        taken += self.identifiers()
        return ModelId(name, 1 + max((t.version for t in taken if t and t.name == name), default=0))

    def _remove_leftovers(self) -> None:
        for path in self.models.glob(".claim-*"):
            identifier = parse_identifier(path.name.removeprefix(".claim-"))
            try:
                file = open(path, "r+")
            except FileNotFoundError:
                continue
            with file:
                if identifier and try_lock(file):
                    if not self.metadata_path(identifier).exists():
                        self._remove_artifacts(identifier)
                    path.unlink(missing_ok=True)

    def _remove_artifacts(self, identifier: ModelId) -> None:
        for path in self.models.glob("*"):
            if _stem(path.name) == str(identifier):
                path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        with lock(self.models / f".lock-{what}", f"{self.models}/{what}"):
            yield

    def _checked_bytes(self, artifact: Mapping[str, Any], identifier: ModelId) -> bytes:
        """Read an artifact once; the bytes that were hashed are the bytes that are used."""
        name = artifact["file"]
        path = self.models / name
        again = "put the right file back or train anew: make train"
        if _stem(name) != str(identifier) or Path(name).name != name:
            raise UserError(f"metadata of {identifier} names {name!r}, which isn't its file; "
                            f"{again}")
        if path.is_symlink() or path.resolve().parent != self.models.resolve():
            raise UserError(f"{path} is a link; a model's files are regular files; {again}")
        if artifact["role"] == "model" and path.suffix not in FORMATS:
            reason = REFUSED.get(path.suffix, f"known formats: {', '.join(FORMATS)}")
            raise UserError(f"{path} is refused: {reason}")
        if not path.is_file():
            raise UserError(f"{path} is missing; {again}")
        if path.stat().st_size != artifact["size"]:
            raise UserError(f"{path} is damaged: {path.stat().st_size} bytes instead of "
                            f"{artifact['size']}; {again}")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != artifact["sha256"]:
            raise UserError(f"{path} is damaged or not the trained file: its sha256 differs from "
                            f"the one in {self.metadata_path(identifier)}; {again}")
        return content

    def _check_code(self, identifier: ModelId, contents: Mapping[str, bytes]) -> None:
        for role, path in (self.code or {}).items():
            if role not in contents:
                continue
            if sha256_of_text(path.read_text(encoding="utf-8")) != sha256_of_text(
                    contents[role].decode()):
                trained = self.models / f"{identifier}.{role}.txt"
                raise UserError(
                    f"{identifier} was trained with another text of {path}; train anew "
                    f"(make train), or save the present file and restore that one: "
                    f"cp '{path}' '{path}.saved' && cp '{trained}' '{path}'")

    def _known(self, name: str | None = None) -> str:
        known = [str(i) for i in self.identifiers() if name is None or i.name == name]
        if len(known) > 10:
            known = known[:10] + [f"and {len(known) - 10} more"]
        return ", ".join(known) or "none yet, train one: make train"


def parse_identifier(text: str) -> ModelId | None:
    """`iris-v3` -> ModelId("iris", 3); None for any other text."""
    match = VERSION_PATTERN.fullmatch(text)
    return ModelId(match["name"], int(match["version"])) if match else None


def check_name(name: str) -> str:
    """Return a usable model name as it is.

    Raises:
        UserError: when it could not be a file name everywhere.
    """
    if not NAME_PATTERN.fullmatch(name) or name.endswith((" ", ".")):
        raise UserError(f"{name!r} can't name a model: use up to 100 letters, digits, spaces and "
                        "_ . + -, beginning with a letter or digit; choose one: --name NAME")
    return name


def _stem(file_name: str) -> str:
    """The identifier part of `iris-v1.skops` and `iris-v1.features.txt`."""
    match = re.match(rf"{VERSION_PATTERN.pattern}(?=\.(skops|joblib|features\.txt|patch)$)",
                     file_name)
    return match[0] if match else ""
