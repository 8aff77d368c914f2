"""Where models live and how they are loaded: one store, one loader, for every command.

A model is `<name>-v<N>.<ext>` in the models folder and `<name>-v<N>.json` in the metadata folder.
The metadata is written last: without metadata there is no model. The loader trusts nothing: the
metadata's own seal, then each file's name, which leads nowhere but into the models folder, then a
regular file and no link, its size, its sha256, its format, and at last the golden rows, which must
give the numbers they gave in training. Every file is opened once: the bytes that were checked are
those that are used. A hash beside a file stops accidents, not somebody who can write both.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from mlmonkey.claims import claim, identifiers
from mlmonkey.current import read_current
from mlmonkey.errors import UserError
from mlmonkey.files import sha256_of_text
from mlmonkey.golden import Prediction, golden_difference, moved_versions, predict_with
from mlmonkey.metadata_check import misfit
from mlmonkey.model_files import deserialize
from mlmonkey.names import ModelId, composed, owner_of, parse_identifier
from mlmonkey.sealed import SEAL, damaged, is_intact, read_json, read_regular

if TYPE_CHECKING:  # numpy is not for those who only look which models there are
    from mlmonkey.rows import Rows
    from mlmonkey.serving import Form, Functions

FORMATS = {".skops": "skops", ".joblib": "joblib"}
REFUSED = {".pkl": "a pickle runs code when it is opened", ".pt": "it is a pickle inside",
           ".pickle": "a pickle runs code when it is opened"}


@dataclass(frozen=True)
class LoadedModel:
    """A model whose bytes and numbers have been checked, with its metadata.

    Args:
        form: the serving form, which then answers; None where the estimator does.
        open_estimator: reads what was trained, for which scikit-learn is needed.
    """

    identifier: ModelId
    metadata: dict[str, Any]
    form: "Form | None"
    open_estimator: Callable[[], Any]

    @cached_property
    def estimator(self) -> Any:
        """What was trained."""
        return self.open_estimator()

    @property
    def classes(self) -> list[Any] | None:
        """The labels in the order of the probabilities' columns; None for regression."""
        classes: list[Any] | None = self.metadata["target"].get("classes")
        return classes

    def predict(self, rows: "Rows") -> Prediction:
        """Predict for canonical rows; see mlmonkey.rows."""
        if self.form is None:
            return predict_with(self.estimator, rows.frame())
        return self.form.predict(rows)


@dataclass(frozen=True)
class ModelStore:
    """The models of one project.

    Args:
        models: folder of the artifacts and current.json.
        metadata: folder of the metadata JSON files, and nothing else.
        trusted: types of our own that a skops file may name; lives in code, never beside a model.
        code: role -> path of project text that a model may be tied to (such as `features`).
        functions: gives a function of the project's features by its name.
    """

    models: Path
    metadata: Path
    trusted: Sequence[str] = ()
    code: Mapping[str, Path] | None = None
    functions: "Functions | None" = None

    def identifiers(self) -> list[ModelId]:
        """Every complete model, by name, then by version."""
        return identifiers(self.metadata)

    def readable(self, backwards: bool = False) -> Iterator[tuple[ModelId, dict[str, Any]]]:
        """Every model with its metadata, in the order of `identifiers` or the other way round.

        For commands that look through all models: a note on stderr names what can't be read.
        """
        found = self.identifiers()
        for identifier in reversed(found) if backwards else found:
            try:
                metadata = self.read_metadata(identifier)
            except (UserError, OSError) as error:
                print(f"note: {identifier} is left out: {error}", file=sys.stderr)
                continue
            yield identifier, metadata

    def read_metadata(self, identifier: ModelId) -> dict[str, Any]:
        """The metadata of one model, as it stands on disk.

        Raises:
            UserError: when there is none, or it isn't that model's.
        """
        path = self.metadata_path(identifier)
        try:
            content = read_json(path)
        except FileNotFoundError:
            raise UserError(f"there is no model {identifier}: {path} is missing; "
                            f"known: {self._known()}") from None
        except ValueError as error:
            raise damaged(path, str(error)) from None
        if wrong := misfit(content):
            raise damaged(path, wrong)
        if not is_intact(content):
            raise damaged(path, f"its content is not what was written: {SEAL} differs")
        if (content["model_name"], content["model_version"]) != identifier:
            raise UserError(f"{path} is not the metadata of {identifier}, but of another model; "
                            f"put the right file back, or remove it and train anew: "
                            f"rm {quote(str(path))} && make train")
        return dict(content)

    def metadata_path(self, identifier: ModelId) -> Path:
        """Where the metadata of a model is."""
        return self.metadata / f"{identifier}.json"

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
        current = read_current(self.models)
        if name is None:
            name = current["default"] or known[-1].name
        name = composed(name)
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

        Its serving form where it has one: then neither pandas nor scikit-learn is imported.

        Raises:
            UserError: naming the file, when anything differs from what training recorded.
        """
        metadata, contents = self.check(identifier)
        artifact = next(each for each in metadata["artifacts"] if each["role"] == "model")

        def opened(content: bytes | None = None) -> Any:
            return deserialize(content or self.check(identifier)[1]["model"], artifact["format"],
                               self.trusted, artifact["file"])
        if "serving" in contents:
            form = self._read_form(contents["serving"], identifier)
            model = LoadedModel(identifier, metadata, form, opened)
        else:
            estimator = opened(contents["model"])
            model = LoadedModel(identifier, metadata, None, lambda: estimator)
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
                    for artifact in metadata["artifacts"]}
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
        difference = golden_difference(model.predict, model.metadata["golden"],
                                       model.metadata["schema"])
        if difference:
            moved = moved_versions(model.metadata)
            raise UserError(
                f"{model.identifier} refuses to answer: its golden rows give other numbers than "
                f"in training ({difference}{'; ' + moved if moved else ''}); train anew here: "
                "make train, or install the recorded versions (environment block of "
                f"{self.metadata_path(model.identifier)})")

    def claim(self, name: str) -> AbstractContextManager[ModelId]:
        """Reserve the next free version of a name for one training; see mlmonkey.claims."""
        return claim(self.models, self.metadata, name)

    def _checked_bytes(self, artifact: Mapping[str, Any], identifier: ModelId) -> bytes:
        """Read an artifact once; the bytes that were hashed are the bytes that are used."""
        name, again = artifact["file"], "put the right file back or train anew: make train"
        if owner_of(name) != identifier:  # so it has no folder in it
            raise UserError(f"metadata of {identifier} names {name!r}, which isn't its file; "
                            f"{again}")
        path = self.models / name
        if artifact["role"] == "model" and artifact["format"] != FORMATS.get(path.suffix):
            raise UserError(f"{path} is refused: a model's file ends in {' or '.join(FORMATS)}, as "
                            f"its format does; {again}")
        try:
            content = read_regular(path, artifact["size"])
        except FileNotFoundError:
            raise UserError(f"{path} is missing; {again}") from None
        if len(content) != artifact["size"]:
            raise UserError(f"{path} is damaged: {len(content):,} bytes instead of "
                            f"{artifact['size']:,}; {again}")
        if hashlib.sha256(content).hexdigest() != artifact["sha256"]:
            raise UserError(f"{path} is damaged or not the trained file: its sha256 differs from "
                            f"the one in {self.metadata_path(identifier)}; {again}")
        return content

    def _read_form(self, content: bytes, identifier: ModelId) -> "Form":
        """The serving form in bytes that were vouched for."""
        from mlmonkey.serving import Form
        try:
            return Form(content, self.functions)
        except Exception as error:  # sound bytes, so other versions: whatever they raise
            raise UserError(f"the serving form of {identifier} can't be opened with the libraries "
                            f"installed here ({' '.join(str(error).split())[:200]}); train anew: "
                            "make train") from None

    def _check_code(self, identifier: ModelId, contents: Mapping[str, bytes]) -> None:
        for role, path in (self.code or {}).items():
            if role not in contents:
                continue
            if sha256_of_text(path.read_text(encoding="utf-8")) != sha256_of_text(
                    contents[role].decode(errors="replace")):
                trained = self.models / f"{identifier}.{role}.txt"
                here, saved, then = (quote(str(each)) for each in (path, f"{path}.saved", trained))
                raise UserError(
                    f"{identifier} was trained with another text of {path}; train anew "
                    f"(make train), or save the present file and restore that one: "
                    f"cp {here} {saved} && cp {then} {here}")

    def _known(self, name: str | None = None) -> str:
        known = [str(i) for i in self.identifiers() if name is None or i.name == name]
        if len(known) > 10:
            known = known[:10] + [f"and {len(known) - 10} more"]
        return ", ".join(known) or "none yet, train one: make train"
