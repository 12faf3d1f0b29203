"""oneDNN is on in every process of tfcil, unless the person switched it off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "TF_ENABLE_ONEDNN_OPTS"
# The processes of a stage and of the command end here for want of a params.yaml.
STARTS = {
    "script of a person": "import tfcil, keras",
    "stage": f"sys.argv = ['train.py', '00']; runpy.run_path({str(ROOT / 'pipelines/train.py')!r})",
    "command": "sys.argv = ['tfcil', 'run']; runpy.run_module('tfcil', run_name='__main__')",
}


def state(start, folder, given):
    """What TensorFlow says at the end of a program, and the variable."""
    script = f"""
import contextlib, os, runpy, sys

with contextlib.suppress(SystemExit):
    {start}

from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled(), os.environ[{NAME!r}])
"""
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    environment |= given | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="TensorFlow has oneDNN on Linux")
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_onednn_is_on(start, tmp_path):
    assert state(start, tmp_path, {}) == ["True", "1"]


@pytest.mark.skipif(sys.platform != "linux", reason="TensorFlow has oneDNN on Linux")
def test_what_a_person_set_stays(tmp_path):
    assert state(STARTS["script of a person"], tmp_path, {NAME: "0"}) == ["False", "0"]
