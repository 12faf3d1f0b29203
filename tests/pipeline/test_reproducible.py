"""The same commit gives the same bytes: in another clone, and without DVC in one process.

All but logs/ and the page that shows them, which tell how long a run took.
"""

import sys

import yaml
from tiny_project import TOLD, contents


def digests(folder):
    """Name to MD5 of every output in dvc.lock, but for those that tell the time."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}
    return {
        name: md5 for name, md5 in outs.items() if not f"{name}/".startswith(("logs/", "report/"))
    }


def compared(folder):
    """Name to bytes of every output that two runs have in common."""
    return {name: data for name, data in contents(folder).items() if not name.startswith(TOLD)}


def test_another_clone_gets_the_same_digest_for_every_output(clone, finished):
    again = clone("second")
    again.repro()
    expected = digests(finished)
    assert {"data/train", "models/01.keras", "features/01.npz", "metrics.json"} <= set(expected)
    assert digests(again.folder) == expected
    assert "report/report.html" in contents(finished)
    assert compared(again.folder) == compared(finished)


def test_one_process_without_dvc_writes_the_same_bytes(clone, finished):
    """And no other file, apart from those, is left."""
    alone = clone("alone")
    printed = alone.run(sys.executable, "-m", "tfcil", "run")
    assert "models/01.keras" in printed
    assert sorted(contents(alone.folder)) == sorted(contents(finished))
    received, expected = compared(alone.folder), compared(finished)
    assert [name for name in expected if received[name] != expected[name]] == []
    assert alone.run("git", "status", "--short").split() == ["??", "metrics.json"]
