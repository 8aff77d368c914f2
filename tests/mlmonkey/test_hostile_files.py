"""Files that somebody planted: none is executed, opened outside the models folder, or accepted."""

import io
import json
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from conftest import Run, assert_refused, clean_environment, edit_sealed
from sklearn.preprocessing import FunctionTransformer

from mlmonkey.errors import UserError
from mlmonkey.model_files import deserialize
from mlmonkey.sealed import MOST_JSON
from mlmonkey.serving import Form
from mlmonkey.store import ModelId, ModelStore
from src.model.trusted import TRUSTED

IRIS = ModelId("iris", 1)
# a form of one step that holds one array
PROGRAM = json.dumps({"version": 1, "functions": [], "added": {}, "classes": None, "steps": [
    {"do": "constant", "of": ["rows"], "to": "answer", "with": {"values": {"array": "0.npy"}}}]
}).encode()


class Payload:
    """A pickle of it makes a folder when it is opened: the sign that something was executed."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sign),)


def name_in_metadata(store: ModelStore, file: str, content: bytes, form: str = "skops",
                     role: str = "model") -> None:
    """What somebody does who can write both the file and its hash.

    Where it is the model's file, there is no serving form that would answer in its place.
    """
    artifact = {"role": role, "file": file, "format": form, "size": len(content),
                "sha256": sha256(content).hexdigest()}

    def change(metadata: dict[str, Any]) -> None:
        gone = {role, "serving"} if role == "model" else {role}
        kept = [each for each in metadata["artifacts"] if each["role"] not in gone]
        metadata["artifacts"] = [*kept, artifact]
    edit_sealed(store.metadata_path(IRIS), change)


def refuses(store: ModelStore, *parts: str) -> None:
    with pytest.raises(UserError) as raised:
        store.load(IRIS)
    assert all(part in str(raised.value) for part in parts), str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_payload_tells_when_it_runs(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "sign")))
    assert (tmp_path / "sign").exists()


@pytest.mark.parametrize("ending", [".skops", ".joblib", ".pkl", ".pickle", ".pt", ".safetensors",
                                    ".onnx", ".form", ".features.txt", ".patch", ".json", ""])
def test_a_pickle_is_never_opened_whatever_it_is_called(store: ModelStore, tmp_path: Path,
                                                        ending: str) -> None:
    sign = tmp_path / "sign"
    content = pickle.dumps(Payload(sign))
    file = f"iris-v1{ending}"
    (store.models / file).write_bytes(content)
    if ending == ".skops":
        refuses(store, "iris-v1.skops")  # in the trained file's place
    name_in_metadata(store, file, content)  # vouched for, as what it is not
    refuses(store, "iris-v1")
    if ending == ".form":
        name_in_metadata(store, "iris-v1.skops", (store.models / "iris-v1.skops").read_bytes())
        for form in (content, packed({"program.json": content}),
                     packed({"program.json": PROGRAM, "0.npy": content}),
                     packed({"program.json": PROGRAM, "0.npy": npy_of(Payload(sign))})):
            (store.models / file).write_bytes(form)
            name_in_metadata(store, file, form, "form", "serving")
            refuses(store, "the serving form of iris-v1 can't be opened")
    if ending == ".features.txt":
        name_in_metadata(store, "iris-v1.skops", (store.models / "iris-v1.skops").read_bytes())
        name_in_metadata(store, file, content, "text", "features")
        tied = ModelStore(store.models, store.metadata, TRUSTED, {"features": Path(__file__)})
        refuses(tied, "another text")
    for folder in (store.models, store.metadata):  # in the place of JSON
        for path in folder.glob("*.json"):
            path.write_bytes(content)
    refuses(store, "iris-v1.json is damaged")
    with pytest.raises(UserError, match="current.json is damaged"):
        store.choose("iris")
    if ending not in (".skops", ".joblib"):
        with pytest.raises(UserError, match="is not a model file"):
            store.choose(path=store.models / file)
    assert not sign.exists()


def test_a_joblib_file_is_opened_only_when_its_metadata_vouches_for_it(store: ModelStore,
                                                                       tmp_path: Path) -> None:
    sign, path = tmp_path / "sign", store.models / "iris-v1.joblib"
    joblib.dump(store.load(IRIS).estimator, path)
    sound = path.read_bytes()
    name_in_metadata(store, path.name, sound, "joblib")
    assert store.load(IRIS).predict
    joblib.dump(Payload(sign), path)
    refuses(store, "iris-v1.joblib is damaged")
    path.write_bytes(path.read_bytes().ljust(len(sound), b"\0"))  # of the right size
    refuses(store, "iris-v1.joblib is damaged or not the trained file")
    name_in_metadata(store, path.name, path.read_bytes(), "skops")  # vouched for as another format
    refuses(store, "iris-v1.joblib is refused")
    assert not sign.exists()


def test_the_commands_open_no_pickle_either(trained_copy: Path, tmp_path: Path,
                                            run_stage: Run) -> None:
    sign, models = tmp_path / "sign", trained_copy / "models"
    content = pickle.dumps(Payload(sign))
    for name in ("iris-v1.skops", "iris-v1.joblib", "iris-v1.pkl", "other-v1.joblib"):
        (models / name).write_bytes(content)
    for words in (("prediction", "--model-name", "iris"),
                  ("evaluate", "--model-path", "models/iris-v1.joblib"),
                  ("prediction", "--model-path", "models/iris-v1.pkl"),
                  ("deploy-endpoint", "--model-path", "models/other-v1.joblib")):
        assert_refused(run_stage(trained_copy, *words, check=False), Path(words[-1]).stem)
    assert not sign.exists()


@pytest.mark.parametrize("make", [
    lambda sign: FunctionTransformer(partial(os.mkdir, str(sign))),
    lambda sign: FunctionTransformer(os.mkdir), lambda sign: [FunctionTransformer(eval)],
    lambda sign: {"a": np.array([subprocess.Popen], dtype=object)}, lambda sign: Path(sign)])
def test_foreign_types_in_a_skops_file_are_refused(store: ModelStore, tmp_path: Path,
                                                   make: Any) -> None:
    sign = tmp_path / "sign"
    content = skops.io.dumps(make(sign))
    (store.models / "iris-v1.skops").write_bytes(content)
    name_in_metadata(store, "iris-v1.skops", content)
    refuses(store, "iris-v1.skops", "does not trust")
    assert not sign.exists()


def test_the_list_of_trusted_types_is_not_beside_the_model(store: ModelStore) -> None:
    strict = ModelStore(store.models, store.metadata, trusted=())
    with pytest.raises(UserError, match="does not trust: .*src.model.pipeline"):
        assert strict.load(IRIS).estimator


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def in_denial(archive: bytes, size: int) -> bytes:
    """The archive, its members' sizes written as 10 bytes."""
    return archive.replace(struct.pack("<L", size), struct.pack("<L", 10))


def npy_of(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([value], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def repeated(archive: bytes, times: int) -> bytes:
    """The archive with its one member listed so many times, all of them the same bytes."""
    start = archive.index(b"PK\1\2")
    end = archive.index(b"PK\5\6")
    listed = archive[start:end] * times
    return archive[:start] + listed + struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, times, times, len(listed), start, 0)


ZEROS = 150 * 2**20
BOMB = packed({"schema.json": bytes(ZEROS)})
BOMBS = {"one member": BOMB, "sizes that lie": in_denial(BOMB, ZEROS),
         "one member many times": repeated(packed({"schema.json": bytes(2**20)}), 200),
         "an archive in an archive": packed({"schema.json": b"{}", "1.npz": BOMB}),
         "another packing": packed({"schema.json": bytes(ZEROS)}, zipfile.ZIP_LZMA)}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_fills_the_memory(kind: str) -> None:
    assert len(BOMBS[kind]) < 200_000
    tracemalloc.start()
    with pytest.raises(UserError, match="x.skops is not a readable skops file"):
        deserialize(BOMBS[kind], "skops", TRUSTED, "x.skops")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_a_form_that_is_a_bomb_is_refused() -> None:
    for bomb in BOMBS.values():
        tracemalloc.start()
        with pytest.raises((ValueError, KeyError, zipfile.BadZipFile)):
            Form(bomb)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20 * 2**20


@pytest.mark.parametrize("content", [
    b"", b"PK\3\4", packed({"a": b"b"}), packed({"schema.json": b"["}),
    packed({"schema.json": b"[" * 10**6}), packed({"schema.json": b'{"__loader__": "x"}'}),
    packed({"schema.json": json.dumps({
        "__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode",
        "type": "numpy", "file": "1.npy", "__id__": 1, "protocol": 2}).encode(),
        "1.npy": pickle.dumps(Payload(Path("sign")))})])
def test_malformed_skops_files_end_in_a_line(content: bytes) -> None:
    with pytest.raises(UserError, match="x.skops"):
        deserialize(content, "skops", TRUSTED, "x.skops")


def put_link(path: Path, outside: Path) -> None:
    shutil.move(path, outside / path.name)
    path.symlink_to(outside / path.name)


def put_pipe(path: Path, outside: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put_folder(path: Path, outside: Path) -> None:
    path.unlink()
    path.mkdir()


def put_device(path: Path, outside: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def put_socket(path: Path, outside: Path) -> None:
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("put", [put_link, put_pipe, put_folder, put_device, put_socket])
@pytest.mark.parametrize("name", ["iris-v1.skops", "metadata/iris-v1.json", "current.json"])
def test_what_is_no_regular_file_is_not_opened(store: ModelStore, tmp_path: Path, put: Any,
                                               name: str) -> None:
    """A pipe would wait for ever, a device never end."""
    outside = tmp_path / "outside"
    outside.mkdir()
    put(store.models / name, outside)
    with pytest.raises(UserError, match=f"{name} is (a link|no regular file)"):
        store.load(store.choose("iris"))


def test_the_models_folder_itself_may_be_a_link(store: ModelStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "on a larger disk"
    shutil.move(store.models, elsewhere)
    store.models.symlink_to(elsewhere)
    assert store.load(IRIS)


@pytest.mark.parametrize("file", [
    "../iris-v1.skops", "/etc/passwd", "models/../../iris-v1.skops", "metadata/../iris-v1.skops",
    "./iris-v1.skops", "iris-v1.skops/../iris-v1.skops", "iris-v1.skops/", "iris-v1.skops\0",
    "iris-v1.skops\n", "penguins-v1.skops", "iris-v2.skops", "", ".", "..", "metadata",
    "current.json"])
def test_metadata_leads_nowhere_else(store: ModelStore, file: str) -> None:
    shutil.copy(store.models / "iris-v1.skops", store.models.parent)
    name_in_metadata(store, file, (store.models / "iris-v1.skops").read_bytes())
    refuses(store, "isn't its file")


def test_metadata_of_any_size_and_depth_is_refused(store: ModelStore) -> None:
    path = store.metadata_path(IRIS)
    content = path.read_text()
    start = content.index("{") + 1
    for wrong in (content[:start] + '"task": "regression",' + content[start:],
                  content.replace('"seed": 0', '"seed": NaN'), content[:-3] + ',"a":1e999}',
                  content[:start] + '"a":' + "[" * 10**5 + "]" * 10**5 + "," + content[start:],
                  content[:start] + '"a": "\\ud800",' + content[start:],
                  content[:start] + '"a": ' + "9" * 10**4 + "," + content[start:]):
        path.write_text(wrong)
        refuses(store, "iris-v1.json is damaged")
    os.truncate(path, MOST_JSON + 1)  # a hole, no bytes on disk
    refuses(store, "iris-v1.json is damaged", "instead of at most")


OPENS = """
import sys
from collections import Counter
from pathlib import Path
models = Path(sys.argv[1])
from src.helpers.datasets import feature_function, model_store
from mlmonkey.serving import Form
from mlmonkey.store import ModelId, ModelStore
from src.model.trusted import TRUSTED
opened = Counter()
sys.addaudithook(lambda event, about: event == 'open' and opened.update([str(about[0])]))
ModelStore(models, models / 'metadata', TRUSTED,
           functions=feature_function).load(ModelId('penguins', 1))
print(*sorted(f'{n} {Path(name).name}' for name, n in opened.items() if str(models) in name),
      sep='\\n')
"""


def test_each_file_is_opened_once(store: ModelStore) -> None:
    """So what was hashed is what is parsed, whatever happens to the file meanwhile."""
    done = subprocess.run([sys.executable, "-c", OPENS, str(store.models)], text=True, check=True,
                          capture_output=True, env=clean_environment())
    assert done.stdout.splitlines() == ["1 penguins-v1.features.txt", "1 penguins-v1.form",
                                        "1 penguins-v1.json", "1 penguins-v1.skops"]
