"""What decides whether a stage must run again, as one record with one key.

Resolved options + contents of the inputs + contents of the code + installed versions. A stage
stores its record with its result; it is up to date while a new record has the same key.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlmonkey.files import sha256_of, sha256_of_text
from mlmonkey.metadata import installed_versions
from src.etl.unpack import table_name
from src.helpers.configuration import Config
from src.helpers.memory import with_row_limit
from src.settings import ROOT, locate, relative

FEATURES_CODE = "src/model/features.py"  # counts only for models that use a function of it
CODE = {
    "generate_dataset": ("src/etl/*.py",),
    "train": ("src/train.py", "src/model/*.py", "src/helpers/training.py", "src/helpers/recipe.py",
              "src/helpers/evaluation.py", "src/helpers/tables.py", "src/helpers/splits.py",
              "src/helpers/doctor.py", "src/helpers/quick_scores.py", "src/helpers/scores.py",
              "mlmonkey/schema.py", "mlmonkey/conformal.py", "mlmonkey/golden.py",
              "mlmonkey/model_files.py", "mlmonkey/metadata.py", "mlmonkey/rows.py",
              "mlmonkey/serving.py", "mlmonkey/column_steps.py", "mlmonkey/estimator_steps.py",
              "mlmonkey/normal.py", "mlmonkey/net.py", "mlmonkey/bins.py"),
}
# options that change what is printed or allowed, never what comes out
WITHOUT_EFFECT = {"accept_changed_raw", "report", "max_rejects", "data", "dataset"}


def stage_record(stage: str, config: Config, inputs: Mapping[str, str],
                 more_code: Iterable[str] = (), more_packages: Iterable[str] = ()
                 ) -> dict[str, Any]:
    """The record of a stage.

    Args:
        inputs: name -> sha256 of each input.
        more_code: files that count besides those listed for the stage.
        more_packages: packages that count besides those of requirements.txt, absent ones too.
    """
    paths = [path for pattern in CODE[stage] for path in sorted(ROOT.glob(pattern))]
    paths = [path for path in paths if relative(path) != FEATURES_CODE]
    paths += [ROOT / name for name in more_code]
    record = {
        "config": {name: value for name, value in sorted(config.plain().items())
                   if name not in WITHOUT_EFFECT},
        "inputs": dict(inputs),
        "code": {relative(path): sha256_of(path) for path in paths if path.stat().st_size},
        "versions": {"python": "{}.{}".format(*sys.version_info)}
        | installed_versions([*pinned(), *more_packages]),
    }
    return {"key": sha256_of_text(json.dumps(record, sort_keys=True)), **record}


def dataset_record(raw: Path, sha256: str, config: Config) -> dict[str, Any]:
    """The record of a dataset: its options, the raw bytes, the code of src/etl."""
    return stage_record("generate_dataset", config, {relative(raw): sha256})


def train_record(profile: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The record of a training: its options, the transformed rows, the code of src/model."""
    config = with_row_limit(config, profile)
    tied = [FEATURES_CODE] if config.features and feature_functions(profile) else []
    transformed = profile["transformed"]
    return stage_record("train", config, {transformed["path"]: transformed["sha256"]}, tied,
                        ["torch"] if config.model == "auto" else [])


def feature_functions(profile: Mapping[str, Any]) -> list[str]:
    """Names of the functions of src/model/features.py for a dataset's raw file."""
    from src.model.features import FEATURES
    stem = table_name(Path(profile["raw"]["path"]))
    return [function.__name__ for function in FEATURES.get(stem, [])]


def pinned() -> list[str]:
    """The packages of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = (line.split("#")[0].split("==")[0].strip() for line in lines)
    return [name for name in names if name and not name.startswith("-")]


def changes(record: Mapping[str, Any], more: Mapping[str, str]) -> list[str]:
    """What has changed on disk since a record was made: inputs, code and versions, in words.

    Args:
        more: files that count besides the record's own, with the sha256 they had.
    """
    found = []
    for name, was in {**more, **record["inputs"], **record["code"]}.items():
        path = locate(name)
        if not path.is_file():
            found.append(f"{name} is gone")
        elif sha256_of(path) != was:
            found.append(f"{name} changed")
    was = {name: text for name, text in record["versions"].items() if name != "python"}
    for name, now in installed_versions(was).items():
        if now and now != was[name]:  # without torch its net answers all the same
            found.append(f"{name} {was[name] or 'absent'} -> {now}")
    return found


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a result is still there with the bytes that were recorded."""
    return path.is_file() and sha256_of(path) == sha256
