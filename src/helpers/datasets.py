"""Finding datasets: the raw file that is meant, the key of its results, and their profile."""

import itertools
import json
import shlex
import sys
import shutil
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.files import lock, sha256_of, sha256_of_text, whole_file
from mlmonkey.names import usable_name
from mlmonkey.sealed import is_intact, read_json
from mlmonkey.store import ModelStore
from src.etl.unpack import table_name
from src.helpers.commands import make_line, typed
from src.helpers.configuration import Config
from src.helpers.freshness import dataset_record, is_whole
from src.settings import load_settings, locate, relative

# options of generate_dataset that decide what comes out, and so the name of the results
KEYED_OPTIONS = ("member", "sheet", "delimiter", "quote", "quote_escape", "header", "preamble",
                 "footer", "separator_lines", "encoding", "decimal", "dates",
                 "column", "missing", "not_missing", "private")


def find_raw(data: Path) -> Path:
    """The raw file that `--data` means, inside data/raw; copied in when it lies elsewhere."""
    from src.etl.detect import check_readable
    raw = load_settings().raw
    check_readable(data)
    if data.resolve().is_relative_to(raw.resolve()):
        return data
    with lock(load_settings().staging / ".lock-raw", "copies into data/raw"):
        return copy_in(data, raw / data.name)


def copy_in(data: Path, target: Path) -> Path:
    """Copy a file into data/raw, where nothing is ever overwritten.

    Raises:
        UserError: when other bytes have the name, or the disk has no room.
    """
    raw = target.parent
    if target.exists():
        if target.is_file() and sha256_of(target) == sha256_of(data):
            print(f"{relative(target)} already holds these bytes: used as it is")
            return target
        stem = table_name(data)
        free = next(path for n in itertools.count(2)
                    if not (path := raw / f"{stem}-{n}{data.name.removeprefix(stem)}").exists())
        raise UserError(f"{relative(target)} holds other bytes than {data}; copy it under a free "
                        f"name and use that: cp {shlex.quote(str(data))} "
                        f"{shlex.quote(relative(free))}")
    raw.mkdir(parents=True, exist_ok=True)
    size, room = data.stat().st_size, shutil.disk_usage(raw).free
    if size > room:
        raise UserError(f"{data} needs {size:,} bytes in {relative(raw)}, {room:,} are free; "
                        "make room, or let DATA_RAW_DIR name a larger disk")
    with whole_file(target) as temporary:
        shutil.copyfile(data, temporary)
    print(f"copied {data} to {relative(target)}, which is kept unchanged from now on")
    return target


def dataset_key(raw: Path, config: Config) -> str:
    """Stem + short hash of path, reading settings and stage options; contents are no part of it.

    Of a stem only what is plain in file names, patterns and commands.
    """
    values = config.plain()
    options = {name: values[name] for name in KEYED_OPTIONS}
    text = json.dumps([relative(raw), options], sort_keys=True)
    return f"{usable_name(table_name(raw))}-{sha256_of_text(text)[:8]}"


def profile_path(key: str) -> Path:
    """Where the profile of a dataset is."""
    return load_settings().transformed / f"{key}.json"


def transformed_path(key: str) -> Path:
    """Where the rows that models learn from are."""
    return load_settings().transformed / f"{key}.parquet"


def read_profile(key: str) -> dict[str, Any] | None:
    """The profile of a dataset; None when there is none, or none that is whole, which is said."""
    try:
        content = read_json(profile_path(key))
        if not isinstance(content, dict) or not is_intact(content):
            raise ValueError("its content is not what was written")
    except FileNotFoundError:
        return None
    except (ValueError, UserError) as error:
        print(f"note: {relative(profile_path(key))} is damaged ({error}) and counts as missing",
              file=sys.stderr)
        return None
    return content


def dataset_is_fresh(key: str, raw: Path, options: Config) -> bool:
    """Whether a dataset is there, whole, and was made from the same bytes, options and code."""
    profile = read_profile(key)
    if profile is None:
        return False
    record = dataset_record(raw, sha256_of(raw), options)
    return record["key"] == profile["stage"]["key"] and all(
        is_whole(locate(profile[part]["path"]), profile[part]["sha256"])
        for part in ("staging", "transformed"))


def find_profile(data: Path, key: str | None) -> dict[str, Any]:
    """The dataset with this key, or the one made from a raw file, for a script run by hand.

    Raises:
        UserError: when there is none, or several and no key says which.
    """
    raw = "" if key else relative(find_raw(data))
    folder = load_settings().transformed
    keys = [key] if key else sorted(path.stem for path in folder.glob("[!.]*.json"))
    profiles = [profile for profile in map(read_profile, keys) if profile and
                (key or profile["raw"]["path"] == raw)]
    if not profiles:
        raise UserError(f"there is no dataset {key or f'of {raw}'} yet; make it: "
                        + make_line("generate-dataset", "--data", typed(raw) or str(data)))
    if len(profiles) > 1:
        raise UserError(f"{raw} was read in several ways; say which: --dataset "
                        + " or --dataset ".join(profile["key"] for profile in profiles))
    return profiles[0]


def model_store() -> ModelStore:
    """The project's models, with the types and texts that their files may rely on."""
    from src.model.trusted import TRUSTED
    from src.settings import ROOT
    settings = load_settings()
    return ModelStore(settings.models, settings.metadata, TRUSTED,
                      {"features": ROOT / "src" / "model" / "features.py"},
                      feature_function)


def feature_function(name: str) -> Any:
    """A function of src/model/features.py."""
    from src.model import features
    return getattr(features, name)
