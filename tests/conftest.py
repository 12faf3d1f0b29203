"""Where tests find the numbers and images they are checked against."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import tfcil  # noqa: F401 (sets the environment of TensorFlow, here and for subprocesses)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(autouse=True)
def seeded():
    """Seeds TensorFlow: with deterministic operations, which stay on in a process, it insists."""
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


@pytest.fixture
def oracle():
    """Opens the stored inputs and outputs of an official implementation by file name."""

    def load(name):
        for folder in (ROOT / "tests" / "oracles", SHARED / "oracles"):
            if (folder / f"{name}.npz").exists():
                with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
                    return dict(stored)
        pytest.skip(f"needs ../shared/oracles/{name}.npz, which is not on this machine")

    return load
