"""Losses and heads give the official values and gradients, and train, on the JAX backend."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracle_cases
import pytest

SCRIPT = """
import sys
from pathlib import Path

import jax
import keras
import numpy as np
import oracle_cases

from tfcil import layers, losses

assert keras.backend.backend() == "jax"
folder = Path(sys.argv[1])
cases = [
    case
    for generate in oracle_cases.ALL.values()
    for case in generate(lambda name: dict(np.load(folder / f"{name}.npz")))
]


@jax.jit  # all at once: one compilation costs less than many small ones
def values_and_gradients(batches):
    return [
        jax.value_and_grad(case.loss, tuple(range(len(inputs))))(*inputs)
        for case, inputs in zip(cases, batches, strict=True)
    ]


found = values_and_gradients([[np.asarray(x, "float64") for x in case.inputs] for case in cases])
for case, (value, gradients) in zip(cases, found, strict=True):
    oracle_cases.check(case, value, gradients)

inputs = keras.Input((4,))
head = layers.LocalSimilarity(3, proxies=2)
model = keras.Model(inputs, head(inputs))
model.compile("sgd", losses.BalancedSoftmaxCrossentropy([4, 40, 0], zero_count="mask"))
before = np.array(head.kernel)
x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
model.fit(x, np.arange(8) % 2, verbose=0)
moved = np.abs(head.kernel - before).max(axis=0)
assert (moved[:4] > 0).all(), moved
assert (moved[4:] == 0).all(), moved

loss = losses.FunctionLoss("rescaled_crossentropy", class_weights=jax.numpy.array([1.0, 2, 3]))
assert loss.get_config()["class_weights"] == [1, 2, 3]
model.compile("sgd", losses.FunctionLoss.from_config(loss.get_config()))
before = np.array(head.kernel)
model.fit(x, np.arange(8) % 2, verbose=0)
assert (np.abs(head.kernel - before).max(axis=0) > 0).all()
assert "tensorflow" not in sys.modules
print(len(cases))
"""


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs jax")
def test_official_values_and_gradients_and_a_training_step(oracle, tmp_path):
    for name in oracle_cases.ALL:
        np.savez(tmp_path / name, **oracle(name))
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(map(str, (here.parents[1], here.parent, here))),
    }
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    expected = sum(len(list(generate(oracle))) for generate in oracle_cases.ALL.values())
    assert int(run.stdout.splitlines()[-1]) == expected
