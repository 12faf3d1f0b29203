"""A disk that is full, a folder that may not be written: one line with the path, nothing lost."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_params import tiny_params

from tfcil.errors import UserError
from tfcil.files import load_npz, read_json, save_npz, write_atomically, write_json


@pytest.fixture
def small_disk(tmp_path):
    """Makes a disk of so many bytes, where the system lets us."""
    folders = []

    def mount(size, *options):
        folder = tmp_path / f"disk{len(folders)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options])]
        done = subprocess.run([*command, "tmpfs", str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    if shutil.which("mount") is None:
        pytest.skip("there is no command mount here")
    yield mount
    for folder in folders:
        subprocess.run(["umount", str(folder)], check=True)


def write_large(path):
    if path.suffix == ".npz":
        save_npz(path, values=np.zeros(100_000))
    else:
        write_json(path, list(range(100_000)))


@pytest.mark.parametrize("name", ["a.npz", "a.json"])
def test_full_disk_is_told_and_what_was_there_stays(small_disk, name):
    path = small_disk(200_000) / name
    if name == "a.npz":
        save_npz(path, values=np.ones(3))
    else:
        write_json(path, [1, 1, 1])
    with pytest.raises(UserError, match=rf"No space left on device.*Received: path={path}"):
        write_large(path)
    assert os.listdir(path.parent) == [name]
    kept = load_npz(path, "values")[0].tolist() if name == "a.npz" else read_json(path)
    assert kept == [1, 1, 1]


def test_a_file_that_may_not_grow_is_told(tmp_path):
    """The same without the right to mount: the system ends a file at 10,000 bytes."""
    script = (
        "import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from test_no_room import write_large, UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: write_large(Path(sys.argv[1]))\n"
        "except UserError as error: print(error)\n"
    )
    path = tmp_path / "a.npz"
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parent)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.endswith(f"Received: path={path}\n")
    assert "File too large" in printed
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 10_000


def test_read_only_folder_is_told(small_disk):
    path = small_disk(200_000, "ro") / "models" / "a.json"
    with pytest.raises(UserError, match=rf"Read-only file system.*Received: path={path}"):
        write_json(path, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_missing_right_is_told(tmp_path):
    (tmp_path / "models").mkdir(mode=0o500)
    with pytest.raises(UserError, match="Permission denied"):
        write_json(tmp_path / "models" / "a.json", 1)


def test_something_else_in_the_way_is_told(tmp_path):
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"Received: path=.*models/a\.json"):
        write_json(tmp_path / "models" / "a.json", 1)
    (tmp_path / "a.json").mkdir()
    with pytest.raises(UserError, match=r"Received: path=.*a\.json"):
        write_json(tmp_path / "a.json", 1)


def test_an_error_of_the_block_is_its_own(tmp_path):
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "a"):
        (tmp_path / "missing").read_text()


def run(folder):
    command = [sys.executable, "-m", "tfcil", "run"]
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "CI": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("size", [60_000, 300_000])
def test_run_on_a_full_disk_ends_in_one_line_and_goes_on_once_there_is_room(small_disk, size):
    """At 60 kB within the images of a task, which are mapped; at 300 kB later on."""
    folder = small_disk(size)
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny_params(2)))
    done = run(folder)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("task ")]
    assert line.startswith("error: ")
    assert "No space left on device" in line
    assert "Received: path=" in line
    assert not [path for path in folder.rglob("*") if ".partial" in path.name]
    subprocess.run(["mount", "-o", "remount,size=50m", str(folder)], check=True)
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "metrics.json").exists()
