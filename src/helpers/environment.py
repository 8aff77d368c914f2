"""Bring the environment up to date, and say nothing when it is: every make target starts here.

    python3 -m src.helpers.environment          # what requirements.lock pins, into .venv
    python3 -m src.helpers.environment dev      # and what tests, lint and format need
    python3 -m src.helpers.environment test-all # and what the tests of make test-all need

Read from the environment (make passes them on):
    PY_ENV=pip|conda|uv   what makes .venv: Python's venv (default), conda, uv
    PY_ENV=none           use the Python that runs this; it is only checked
    EXTRAS=torch,jupyter  extras of setup.py; they accumulate in .venv
    PYTHON=/path/python3  a Python of another version than .venv's makes .venv anew
    PIP_EXEC=pip3         another pip (22.3 or newer) or uv to install with
    CONDA_EXEC=mamba      another conda than the first of micromamba, mamba, conda on the PATH
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
NOT_INSTALLED = ("folder", "PY_ENV", "PYTHON")  # when these change, .venv is made anew
LEVELS = ["dev", "test-all"]  # extras with a file of pins; each needs those before it
RUNNING = "%d.%d" % sys.version_info[:2]


class Refusal(Exception):
    """Something the user can mend, in one line."""


def main() -> int:
    os.chdir(ROOT)
    try:
        kind = os.environ.get("PY_ENV") or "pip"
        known_word("PY_ENV", kind, ["pip", "conda", "uv", "none"])
        extras = asked_extras()
        if kind == "none":
            check_active_python(extras)
        elif reason_to_change(extras):
            change_alone(extras)
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


def asked_extras() -> list[str]:
    """Extras named in EXTRAS and on the command line, each one known to setup.py."""
    words = os.environ.get("EXTRAS", "").split(",") + sys.argv[1:]
    asked = sorted({word.strip() for word in words if word.strip()})
    known = sorted(extras_of_setup()) if asked else []
    return [known_word("EXTRAS", word, known) for word in asked]


def known_word(variable: str, word: str, known: list[str]) -> str:
    if word in known:
        return word
    raise Refusal("%s=%s is unknown; known: %s" % (variable, word, ", ".join(known)))


def check_active_python(extras: list[str]) -> None:
    """Name the packages that the running Python lacks; versions are the owner's business here."""
    import importlib.metadata
    import re
    import site

    site.main()  # make starts this with -S, which is quicker; here site-packages matter
    lines = [line for file in requirements_files(extras) for line in read(file).splitlines()]
    for extra in set(extras) - set(LEVELS):
        lines += extras_of_setup()[extra]
    missing = []
    for name in filter(None, (re.match(r"\w[\w.-]*", line) for line in lines)):
        try:
            importlib.metadata.distribution(name[0])
        except importlib.metadata.PackageNotFoundError:
            missing.append(name[0])
    if missing:
        raise Refusal(
            "%s lacks %s; run: %s -m pip install %s (or leave out PY_ENV=none: make makes .venv)"
            % (sys.executable, ", ".join(missing), sys.executable, " ".join(words_of(extras)))
        )


# ----- what is due ------------------------------------------------------------------------------


def reason_to_change(extras: list[str]) -> str:
    """Why .venv has to be made or added to, as the progress line says it; empty: it is right."""
    stamp = read_stamp()
    if not os.path.exists(VENV):
        return "there is none yet"
    if not python_runs(stamp):
        return "its Python is gone, or another"
    wanted = wanted_stamp(extras, stamp)
    changed = [key for key in wanted if wanted[key] != stamp.get(key)]
    if "complete" in changed:
        return "unfinished, or not made here"
    return "changed: %s" % ", ".join(changed) if changed else ""


def python_runs(stamp: dict) -> bool:
    """False for a Python that was removed or replaced under the links of .venv."""
    expected = stamp.get("PYTHON", RUNNING)
    check = "import sys; sys.exit('%%d.%%d' %% sys.version_info[:2] != '%s')" % expected
    # -I -S: 7 ms
    return os.spawnv(os.P_WAIT, VENV_PYTHON, [VENV_PYTHON, "-I", "-S", "-c", check]) == 0


def wanted_stamp(extras: list[str], stamp: dict) -> dict:
    """All that decides what is in .venv; what was asked for earlier stays."""
    asked, extras = os.environ.get, sorted(set(extras) | set(stamp.get("extras", [])))
    wanted = {"complete": True, "folder": ROOT, "extras": extras}
    wanted["PY_ENV"] = asked("PY_ENV") or stamp.get("PY_ENV", "pip")
    wanted["PYTHON"] = RUNNING if asked("PYTHON") else stamp.get("PYTHON", RUNNING)
    wanted["TORCH_INDEX"] = asked("TORCH_INDEX") or stamp.get("TORCH_INDEX", "")
    files = requirements_files(extras)
    for file in [*files, lock_of(files), "setup.py"]:
        wanted[file] = read(file)
    return wanted


# ----- making and adding ------------------------------------------------------------------------


def change_alone(extras: list[str]) -> None:
    """Change .venv while no other make does; what that one did may leave nothing to do."""
    start = time.monotonic()
    with open(".venv.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("environment: waiting for another make that is at work on .venv")
            fcntl.flock(lock, fcntl.LOCK_EX)
        reason = reason_to_change(extras)
        if not reason:
            return
        change(extras, reason)
    say("environment: ready in %.0f s" % (time.monotonic() - start))


def change(extras: list[str], reason: str) -> None:
    stamp, known = read_stamp(), extras_of_setup()
    # Extras that were taken out of setup.py are forgotten.
    stamp["extras"] = [extra for extra in stamp.get("extras", []) if extra in known]
    wanted = wanted_stamp(extras, stamp)
    kind, extras, index = wanted["PY_ENV"], wanted["extras"], wanted["TORCH_INDEX"]
    other_index = index != stamp.get("TORCH_INDEX", "")
    if not can_stay(stamp, wanted):
        make_venv(kind, reason)
    # From here until pip is done the stamp says incomplete: after a kill the next run goes on.
    earlier = {"extras": stamp["extras"], "TORCH_INDEX": stamp.get("TORCH_INDEX", "")}
    write_stamp(dict(wanted, complete=False, **earlier))
    lock = lock_of(requirements_files(extras))
    say("environment: installing %s into .venv (%s)" % (lock, reason))
    install = ["install", "--only-binary=:all:"]
    pip(kind, *install, "--require-hashes", "-r", lock)
    if "torch" in stamp["extras"] and other_index:
        pip(kind, "uninstall", "--yes", "torch")  # pip keeps the same version from another index
    # Extras, and what was written into a .txt after its lock was made.
    others = ["--extra-index-url", index] if index else []
    pip(kind, *install, "--no-build-isolation", *others, *words_of(extras))
    write_stamp(wanted)


def can_stay(stamp: dict, wanted: dict) -> bool:
    """Whether packages can be added to this .venv, whoever made it."""
    if any(stamp.get(key, wanted[key]) != wanted[key] for key in NOT_INSTALLED):
        return False
    if wanted["PY_ENV"] == "conda" != stamp.get("PY_ENV"):
        return False  # no conda made it, or one that was killed
    if not python_runs(stamp):
        return False
    if wanted["PY_ENV"] == "uv" or os.environ.get("PIP_EXEC"):
        return True
    return run([VENV_PYTHON, "-m", "pip", "--version"])[0] == 0  # no: its making was killed


def make_venv(kind: str, reason: str) -> None:
    import shutil

    command = making_command(kind)
    say("environment: making .venv with %s, Python %s (%s)" % (kind, RUNNING, reason))
    if kind == "conda":
        shutil.rmtree(VENV, ignore_errors=True)  # the others clear it themselves
    code, output = run(command)
    if code:
        raise Refusal("%s failed: %s" % (" ".join(command), useful_line(output)))


def making_command(kind: str) -> list[str]:
    """The command that makes .venv with the version of the running Python."""
    if kind == "uv":
        return [uv(), "venv", "--clear", "--python", sys.executable, VENV]
    if kind == "conda":
        conda = program("CONDA_EXEC", ["micromamba", "mamba", "conda"], "micromamba or Miniforge")
        return [conda, "create", "--yes", "--prefix", os.path.join(ROOT, VENV),
                "--override-channels", "--channel", "conda-forge", "python=" + RUNNING, "pip"]
    without_pip = bool(os.environ.get("PIP_EXEC"))
    for module in ["venv"] + ["ensurepip"] * (not without_pip):
        try:
            __import__(module)
        except ImportError:
            raise Refusal(
                "%s has no module %s; on Debian or Ubuntu: apt install python3-venv; elsewhere "
                "name another one: make PYTHON=/path/to/python3" % (sys.executable, module)
            )
    return [sys.executable, "-m", "venv", "--clear", VENV] + ["--without-pip"] * without_pip


def pip(kind: str, verb: str, *words: str) -> None:
    if kind == "uv":
        command = [uv(), "pip", verb, "--python", VENV_PYTHON, *words]
    elif os.environ.get("PIP_EXEC"):
        command = [program("PIP_EXEC", [], ""), "--python", VENV_PYTHON, verb, *words]
    else:
        command = [VENV_PYTHON, "-m", "pip", verb, *words]
    code, output = run(command)
    if code:
        import shlex

        raise Refusal(
            "pip failed: %s; to see all of it: %s" % (useful_line(output), shlex.join(command))
        )


def uv() -> str:
    return program("PIP_EXEC", ["uv"], "uv (python3 -m pip install uv)")


def program(variable: str, names: list[str], advice: str) -> str:
    """The program that a variable names, or the first of the names that is found."""
    import shutil

    chosen = os.environ.get(variable)
    for name in [chosen] if chosen else names:
        if shutil.which(name):
            return name
    if chosen:
        raise Refusal("%s=%s: no such program; leave it out, or name another" % (variable, chosen))
    raise Refusal(
        "%s: not found; install %s, name it: make %s=/path/to/it, or use PY_ENV=pip"
        % (", ".join(names), advice, variable)
    )


def run(command: list[str]) -> tuple[int, str]:
    import subprocess

    # PEP 517 also with an old pip: its own way would put the whole root, src included, on the path.
    # uv looks for a package in one index only, unless told to choose among all as pip does.
    ours = {"PIP_USE_PEP517": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0",
            "PIP_NO_INPUT": "1", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    done = subprocess.run(command, env=dict(os.environ, **ours), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, errors="replace")
    return done.returncode, done.stdout


def useful_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in lines if line.lower().startswith("error")]
    hint = " (is there a network?)" if "Retrying (" in output else ""
    return (errors or lines)[-1] + hint


# ----- files ------------------------------------------------------------------------------------


def requirements_files(extras: list[str]) -> list[str]:
    level = max([LEVELS.index(extra) + 1 for extra in extras if extra in LEVELS], default=0)
    return ["requirements.txt"] + ["requirements-%s.txt" % each for each in LEVELS[:level]]


def lock_of(files: list[str]) -> str:
    """The lock of the last file, which names what the earlier ones need too."""
    return files[-1].replace(".txt", ".lock")


def words_of(extras: list[str]) -> list[str]:
    """What the .txt files say, and this project with its extras, in pip's words."""
    files = [word for file in requirements_files(extras) for word in ("-r", file)]
    others = ",".join(extra for extra in extras if extra not in LEVELS)
    return files + ["-e", ".[%s]" % others if others else "."]


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
    return stamp if isinstance(stamp, dict) and "PYTHON" in stamp else {}


def write_stamp(stamp: dict) -> None:
    with open(STAMP + ".part", "w", encoding="utf-8") as file:
        json.dump(stamp, file, indent=1)
    os.replace(STAMP + ".part", STAMP)


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
