"""The same commit gives the same bytes: in another clone, and without DVC in one process."""

import sys

import yaml
from tiny_project import contents


def digests(folder):
    """Name to MD5 of every output in dvc.lock."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def test_another_clone_gets_the_same_digest_for_every_output(clone, finished):
    again = clone("second")
    again.repro()
    expected = digests(finished)
    assert {"data/train", "models/01.keras", "features/01.npz", "metrics.json"} <= set(expected)
    assert digests(again.folder) == expected


def test_one_process_without_dvc_writes_the_same_bytes(clone, finished):
    """And no other file, apart from those, is left."""
    alone = clone("alone")
    printed = alone.run(sys.executable, "-m", "tfcil", "run")
    assert "models/01.keras" in printed
    received, expected = contents(alone.folder), contents(finished)
    assert sorted(received) == sorted(expected)
    assert [name for name in expected if received[name] != expected[name]] == []
    assert alone.run("git", "status", "--short").split() == ["??", "metrics.json"]
