"""Known vulnerabilities in what the locks pin, asked of an advisory service by pip-audit.

    make audit                                             # none known: 0; some, listed: 1
    make audit ARGS="--vulnerability-service osv"          # an option of pip-audit

A service that is not reached, or one that knows some of the packages only, is no good news: exit 3
and one line, never "none known". (make itself ends with 2 and prints the 3.)
"""

import json
import subprocess
import sys

# It names what requirements.lock names, too; a test says so.
LOCK = "requirements-test-all.lock"


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--require-hashes",
               "--disable-pip", "--format", "json", "--progress-spinner", "off", *sys.argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    found = [(package, flaw) for package in packages for flaw in package.get("vulns", [])]
    for package, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {flaw['id']}, mended in {fixed}")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        why = f"it does not know {len(skipped)} of {len(packages)}: {', '.join(skipped[:3])}, ..."
        print(f"error: no answer of the advisory service for all that {LOCK} pins; "
              f"{why if packages else last}", file=sys.stderr)
    elif not found:
        print(f"no known vulnerability in the {len(packages)} packages of {LOCK}")
    return 1 if found else 3 if skipped or not packages else 0


if __name__ == "__main__":
    sys.exit(main())
