"""Bring the environment up to date, and say nothing when it is: every make target starts here.

    python3 -m src.helpers.environment          # what requirements.txt pins, into .venv
    python3 -m src.helpers.environment dev      # and what tests, lint and format need

Read from the environment (make passes them on):
    PY_ENV=pip|none       a venv in .venv (default), or the Python that runs this, only checked
    EXTRAS=torch,jupyter  extras of setup.py; they accumulate in .venv
    PYTHON=/path/python3  a Python of another version than .venv's makes .venv anew
    PIP_EXEC=pip3         another pip (22.3 or newer) to install with
    TORCH_INDEX=URL       package index with the wheels of torch for this processor or GPU

Standard library only, and nothing slow to import while there is nothing to do.
"""

import os
import sys

# Python 3.6 must be able to parse all of this file to come as far as here: no newer syntax in it.
if sys.version_info < (3, 11):
    sys.stderr.write(
        "error: %s is Python %d.%d.%d, too old; install Python 3.11 or newer, or name one: "
        "make PYTHON=/path/to/python3\n" % ((sys.executable,) + tuple(sys.version_info[:3]))
    )
    sys.exit(2)

import fcntl  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = ".venv"
VENV_PYTHON = os.path.join(VENV, "bin", "python")
# What .venv was made for. Contents are compared, never times: a checkout touches every file.
STAMP = os.path.join(VENV, "ml-skeleton.json")


class Refusal(Exception):
    """Something the user can mend, in one line."""


def main() -> int:
    os.chdir(ROOT)
    try:
        kind = environment_kind()
        extras = asked_extras()
        if kind == "none":
            check_active_python(extras)
        elif reason_to_install(extras):
            install_alone(extras)
    except Refusal as refusal:
        say("error: %s" % refusal)
        return 2
    except OSError as error:
        say("error: cannot make the environment: %s; PY_ENV=none uses the active one" % error)
        return 2
    except KeyboardInterrupt:
        say("environment: stopped; the next run goes on from here")
        return 130
    return 0


def environment_kind() -> str:
    kind = os.environ.get("PY_ENV") or "pip"
    if kind in ("conda", "uv"):
        raise Refusal(
            "PY_ENV=%s is not supported yet; use PY_ENV=pip (a venv in .venv) or PY_ENV=none "
            "(the active environment)" % kind
        )
    return known_word("PY_ENV", kind, ["pip", "none"])


def asked_extras() -> list[str]:
    """Extras named in EXTRAS and on the command line, each one known to setup.py."""
    words = os.environ.get("EXTRAS", "").split(",") + sys.argv[1:]
    asked = sorted({word.strip() for word in words if word.strip()})
    known = sorted(extras_of_setup()) if asked else []
    return [known_word("EXTRAS", word, known) for word in asked]


def known_word(variable: str, word: str, known: list[str]) -> str:
    if word in known:
        return word
    import difflib

    nearest = difflib.get_close_matches(word, known, 1)
    hint = "; did you mean %s?" % nearest[0] if nearest else ";"
    raise Refusal("%s=%s is unknown%s known: %s" % (variable, word, hint, ", ".join(known)))


# ----- PY_ENV=none: look, never install ---------------------------------------------------------


def check_active_python(extras: list[str]) -> None:
    """Name the packages that the running Python lacks; versions are the owner's business here."""
    if sys.flags.no_site:  # make starts this with -S, which is quicker; here site-packages matter
        import site

        site.main()
    import importlib.metadata

    missing = []
    for requirement in requirements(extras):
        try:
            importlib.metadata.distribution(requirement)
        except importlib.metadata.PackageNotFoundError:
            missing.append(requirement)
    if missing:
        raise Refusal(
            "%s lacks %s; run: %s -m pip install %s (or leave out PY_ENV=none: make makes .venv)"
            % (sys.executable, ", ".join(missing), sys.executable, " ".join(sources(extras)))
        )


def requirements(extras: list[str]) -> list[str]:
    """Names of the packages that the requirements files and the asked extras of setup.py state."""
    import re

    lines = [line for file in requirements_files(extras) for line in read(file).splitlines()]
    for extra in set(extras) - {"dev"}:
        lines += extras_of_setup()[extra]
    names = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return [name.group() for name in names if name]


# ----- PY_ENV=pip: a venv in .venv --------------------------------------------------------------


def reason_to_install(extras: list[str]) -> str:
    """Why .venv has to be made or changed, as the progress line says it; empty: nothing to do."""
    stamp = read_stamp()
    reason = reason_to_make_anew(stamp)
    if reason:
        return reason
    if not stamp.get("complete"):
        return "unfinished, or not made here"
    new = [extra for extra in extras if extra not in stamp["extras"]]
    if new:
        return "new: %s" % ", ".join(new)
    wanted = wanted_stamp(extras, stamp)
    changed = [key for key in wanted if wanted[key] != stamp.get(key)]
    return "changed: %s" % ", ".join(changed) if changed else ""


def reason_to_make_anew(stamp: dict) -> str:
    if not os.path.exists(VENV):
        return "there is none yet"
    if stamp and stamp["root"] != ROOT:
        return "the project was moved or copied"
    if stamp and os.environ.get("PYTHON") and stamp["python"] != list(sys.version_info[:2]):
        return "PYTHON is another version"
    # A Python removed or replaced under the venv's links; -I -S: 7 ms.
    check = "import sys; v = list(sys.version_info[:2]); sys.exit(not (%s))"
    test = "v == %s" % stamp["python"] if stamp else "v >= [3, 11]"
    if os.spawnv(os.P_WAIT, VENV_PYTHON, [VENV_PYTHON, "-I", "-S", "-c", check % test]) != 0:
        return "its Python does not run"
    return ""


def wanted_stamp(extras: list[str], stamp: dict) -> dict:
    """All that decides what is in .venv; what was asked for earlier stays."""
    extras = sorted(set(extras) | set(stamp.get("extras", [])))
    wanted = {"complete": True, "root": ROOT, "extras": extras}
    wanted["python"] = stamp.get("python") or list(sys.version_info[:2])
    wanted["TORCH_INDEX"] = os.environ.get("TORCH_INDEX") or stamp.get("TORCH_INDEX", "")
    for file in requirements_files(extras) + ["setup.py"]:
        wanted[file] = read(file)
    return wanted


def install_alone(extras: list[str]) -> None:
    """Install while no other make does; what that one did may leave nothing to do."""
    start = time.monotonic()
    with open(".venv.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("environment: waiting for another make that is at work on .venv")
            fcntl.flock(lock, fcntl.LOCK_EX)
        reason = reason_to_install(extras)
        if not reason:
            return
        install(extras, reason)
    say("environment: ready in %.0f s" % (time.monotonic() - start))


def install(extras: list[str], reason: str) -> None:
    stamp = read_stamp()
    # Extras whose extra was taken out of setup.py are forgotten.
    known = extras_of_setup()
    kept = [extra for extra in stamp.get("extras", []) if extra in known]
    if reason_to_make_anew(stamp) or not pip_runs():
        make_venv(reason)
        stamp = {"TORCH_INDEX": stamp.get("TORCH_INDEX", "")}
    stamp = dict(stamp, extras=kept)
    stamp.setdefault("root", ROOT)
    stamp.setdefault("python", python_of_venv())
    wanted = wanted_stamp(extras, stamp)
    # From here until pip is done the stamp says incomplete: after a kill the next run goes on.
    write_stamp(dict(stamp, complete=False))
    files = sources(wanted["extras"])
    say("environment: installing %s into .venv (%s)" % (" ".join(files), reason))
    if "torch" in kept and wanted["TORCH_INDEX"] != stamp.get("TORCH_INDEX", ""):
        pip(["uninstall", "--yes", "torch"])  # the same version from another index is kept by pip
    index = ["--extra-index-url", wanted["TORCH_INDEX"]] if wanted["TORCH_INDEX"] else []
    pip(["install", "--no-input", "--only-binary=:all:"] + index + files)
    write_stamp(wanted)


def make_venv(reason: str) -> None:
    say("environment: making .venv with Python %s (%s)" % (sys.version.split()[0], reason))
    without_pip = bool(os.environ.get("PIP_EXEC"))
    for module in ["venv"] + ["ensurepip"] * (not without_pip):
        try:
            __import__(module)
        except ImportError:
            raise Refusal(
                "%s has no module %s; on Debian or Ubuntu: apt install python3-venv; elsewhere "
                "name another one: make PYTHON=/path/to/python3" % (sys.executable, module)
            )
    command = [sys.executable, "-m", "venv", "--clear", VENV]
    code, output = run(command + ["--without-pip"] * without_pip)
    if code:
        raise Refusal("%s failed: %s" % (" ".join(command), useful_line(output)))


def python_of_venv() -> list[int]:
    check = "import sys; print(sys.version_info[0], sys.version_info[1])"
    return [int(word) for word in run([VENV_PYTHON, "-I", "-S", "-c", check])[1].split()]


# ----- pip --------------------------------------------------------------------------------------


def pip(arguments: list[str]) -> None:
    command = pip_command() + arguments
    code, output = run(command)
    if code:
        import shlex

        raise Refusal(
            "pip failed: %s; to see all of it: %s" % (useful_line(output), shlex.join(command))
        )


def pip_command() -> list[str]:
    chosen = os.environ.get("PIP_EXEC")
    if not chosen:
        return [VENV_PYTHON, "-m", "pip"]
    import shutil

    if not shutil.which(chosen):
        raise Refusal("PIP_EXEC=%s: no such program; leave it out to use .venv's own pip" % chosen)
    return [chosen, "--python", VENV_PYTHON]


def pip_runs() -> bool:
    """False for a venv whose making was killed before its pip was whole."""
    return bool(os.environ.get("PIP_EXEC")) or run(pip_command() + ["--version"])[0] == 0


def run(command: list[str]) -> tuple[int, str]:
    import subprocess

    # PEP 517 also with an old pip: its own way would put the whole root, src included, on the path.
    environ = dict(os.environ, PIP_USE_PEP517="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_USER="0")
    done = subprocess.run(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
    )
    return done.returncode, done.stdout


def useful_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in lines if line.lower().startswith("error")]
    hint = " (is there a network?)" if "Retrying (" in output else ""
    return (errors or lines)[-1] + hint


# ----- files ------------------------------------------------------------------------------------


def requirements_files(extras: list[str]) -> list[str]:
    return ["requirements.txt"] + ["requirements-dev.txt"] * ("dev" in extras)


def sources(extras: list[str]) -> list[str]:
    """What pip is told to install: pinned files, and this project with its other extras."""
    words = []
    for file in requirements_files(extras):
        words += ["-r", file]
    others = ",".join(extra for extra in extras if extra != "dev")
    return words + ["-e", ".[%s]" % others if others else "."]


def extras_of_setup() -> dict[str, list[str]]:
    """The EXTRAS of setup.py, read without running it: setuptools may not be there yet."""
    import ast

    for node in ast.parse(read("setup.py")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXTRAS":
            extras: dict[str, list[str]] = ast.literal_eval(node.value)
            return extras
    raise Refusal("setup.py has no EXTRAS = {...}; take it back from git: git checkout setup.py")


def read(file: str) -> str:
    with open(file, encoding="utf-8") as text:
        return text.read()


def read_stamp() -> dict:
    try:
        stamp = json.loads(read(STAMP))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and "python" in stamp else {}


def write_stamp(stamp: dict) -> None:
    with open(STAMP + ".part", "w", encoding="utf-8") as file:
        json.dump(stamp, file, indent=1)
    os.replace(STAMP + ".part", STAMP)


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
