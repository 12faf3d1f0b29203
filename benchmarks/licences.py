"""The licence of every locked package that is installed here, as docs/licences.md has them.

python benchmarks/licences.py > docs/licences.md
"""

import re
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"
HEAD = """\
# Licences of the locked packages

What `requirements.lock` installs on Linux, from the packages' own metadata, written by
`python benchmarks/licences.py > docs/licences.md`. tfcil itself is MIT. `grandalf` and `pygit2`
(GPL) come with DVC, the extra `dvc`; neither the library nor a model or an export needs them.

| package | version | licence |
|---|---|---|
"""


def licence(package) -> str:
    """A package's licence: its SPDX expression, else what its classifiers or its text say."""
    about = package.metadata
    classifiers = [
        one.split(" :: ")[-1] for one in about.get_all("Classifier", []) if "License" in one
    ]
    for found in (about.get("License-Expression"), ", ".join(classifiers), about.get("License")):
        if found and found.strip() not in ("", "UNKNOWN"):
            return found.strip().splitlines()[0][:80]
    return "see its files"


def main():
    rows = {}
    for name in re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCK.read_text(), flags=re.M):
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of another system or version of Python
        rows[name] = f"| {name} | {package.version} | {licence(package)} |"
    print(HEAD + "\n".join(rows[name] for name in sorted(rows)))


if __name__ == "__main__":
    main()
