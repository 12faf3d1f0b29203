"""Of every method: the teacher is left alone, the model is plain Keras, JAX and devices agree."""

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_tasks
from loss_of_terms import TRAINED
from tiny_tasks import (
    assert_same,
    chain,
    choice_of,
    head_of,
    in_a_process,
    learn,
    learn_as_named,
    network,
    run,
    state,
)
from two_machines import two_machines

from tfcil.classifier import FEATURES, LOGITS, num_classes, save_classifier
from tfcil.cluster.together import train_together
from tfcil.components.registry import find
from tfcil.errors import UserError
from tfcil.training import Term
from tfcil.training.train import Trainer

OWN = "module:own_method/ce"  # a method outside the package, whose transform has a state
METHODS = [f"{name}/{'nca' if name == 'podnet' else 'ce'}" for name in TRAINED]
ON_JAX = [*METHODS, OWN, "icarl/bce", "lucir/meta_bsce", "baseline/gce", "baseline/tal"]
RUNS = [*ON_JAX, "baseline/bsce", "dgr/bsce", "lwf/relaxed_bsce"]
ON_TWO = [run for run in RUNS if not find("method", run.split("/")[0]).facts.one_device]
ON_FOUR = [f"{name}/batch_size=6" for name in ("lucir/ce", "ssil/ce", "dgr/ce", "icarl/meta_bsce")]
# Only their steps are compared: on JAX, and on two devices.
CHANGED = [
    "baseline/bsce/norm_alignment=0.1",
    "der/ce/norm_alignment=0.1",
    "baseline/bsce/baseline.reweighting=symmetric",
    "baseline/ce/correction=retrain_head",
]

PLAIN = """
import sys
from pathlib import Path

sys.modules["tfcil"] = None  # an import of it fails

import keras
import numpy as np

images = np.load("images.npy")
found = {}
for file in Path().glob("*.keras"):
    model = keras.models.load_model(file)
    assert model.layers[-1].name == "logits", file
    assert model.get_layer("features").output.ndim == 2, file
    found[file.stem] = model.predict(images, verbose=0)
np.savez("logits", **found)
"""


@pytest.fixture(params=RUNS)
def learned(request):
    return run(*request.param.split("/"))


def test_the_teacher_is_left_as_it_was(learned):
    """Its weights, batch statistics and flags: the next method may go on from the same model.

    A teacher in training mode would drift with every batch of new images.
    """
    before, flags = learned.teacher_before
    after, flags_after = state(learned.teacher)
    assert flags_after == flags == [True] * len(flags)
    assert_same(after, before)
    main = learned.phases[0]
    assert main.teacher[0] or main.teacher == [None, None]
    if main.teacher[0]:
        assert_same(*main.teacher)
    assert np.abs(head_of(main.student[1])[0] - head_of(main.student[0])[0]).max() > 0


def test_the_student_is_trainable_as_a_whole_and_of_keras_own_layers(learned):
    assert all(layer.trainable for layer in learned.student.layers)
    assert {type(layer).__module__.split(".")[0] for layer in learned.student.layers} == {"keras"}
    assert learned.student.layers[-1].name == LOGITS
    assert learned.student.get_layer(FEATURES).output.ndim == 2
    assert num_classes(learned.student) == 7
    assert not any(getattr(layer, "synchronized", False) for layer in learned.student.layers)


def test_the_curve_is_finite_and_names_the_terms_of_each_phase(learned):
    assert [row["phase"] for row in learned.curve] == [phase.name for phase in learned.phases]
    for row in learned.curve:
        assert all(np.isfinite(value) for name, value in row.items() if name != "phase")


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """The logits that plain Keras gives, by the RUN; tfcil can't be imported there."""
    folder = tmp_path_factory.mktemp("plain")
    np.save(folder / "images.npy", run("baseline").images[::6])
    for number, name in enumerate(RUNS):
        save_classifier(run(*name.split("/")).student, folder / f"{number}.keras")
    subprocess.run([sys.executable, "-c", PLAIN], cwd=folder, check=True)
    with np.load(folder / "logits.npz") as stored:
        return {name: stored[str(number)] for number, name in enumerate(RUNS)}


@pytest.mark.parametrize("name", RUNS)
def test_plain_keras_opens_the_saved_model_and_gets_the_same_logits(outside, name):
    model = run(*name.split("/")).student
    expected = model.predict(run("baseline").images[::6], verbose=0)
    assert expected.shape == (10, 7)
    np.testing.assert_allclose(outside[name], expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def tasks_in_a_chain():
    return chain()


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    out = tmp_path_factory.mktemp("jax") / "found.npz"
    return in_a_process(out, "jax", "none", 1, [*ON_JAX, *CHANGED, "chain"])


@functools.cache
def on_one_device(name):
    return learn_as_named(name) if "=" in name else run(*name.split("/"))


def assert_curves_agree(found, expected, rtol):
    assert [list(row) for row in found] == [list(row) for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert row["phase"] == other["phase"]
        for name in set(row) - {"phase"}:
            np.testing.assert_allclose(row[name], other[name], rtol=rtol, atol=1e-5, err_msg=name)


needs_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs the extra `jax`")


@needs_jax
@pytest.mark.parametrize("name", [*ON_JAX, *CHANGED])
def test_jax_takes_the_same_steps(on_jax, name):
    assert_curves_agree(on_jax[0][name], on_one_device(name).curve, rtol=1e-3)


@needs_jax
def test_jax_takes_the_same_steps_through_two_tasks(on_jax, tasks_in_a_chain):
    assert_curves_agree(on_jax[0]["chain"], tasks_in_a_chain[2], rtol=1e-3)


def devices(cpus, names, tmp_path_factory):
    out = tmp_path_factory.mktemp("mirrored") / "found.npz"
    return in_a_process(out, "tensorflow", "mirrored", cpus, names)


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    return devices(2, [*ON_TWO, *CHANGED, "chain", "chain alone"], tmp_path_factory)


@pytest.fixture(scope="module")
def on_four_devices(tmp_path_factory):
    return devices(4, ON_FOUR, tmp_path_factory)


def assert_same_steps(found, name, alone):
    curves, weights = found
    assert_curves_agree(curves[name], alone.curve, rtol=1e-4)
    # Weights hardly move in these few steps: a loss that counts twice, or in part, must show.
    before, after = (head_of(weights)[0] for weights in alone.phases[0].student)
    allowed = min(1e-5, np.abs(after - before).max() / 50)
    for value, same in zip(alone.student.get_weights(), weights[name], strict=True):
        np.testing.assert_allclose(value, same, rtol=0, atol=allowed)


@pytest.mark.parametrize("name", [*ON_TWO, *CHANGED])
def test_two_devices_take_the_steps_of_one(on_two_devices, name):
    """A mean over the old samples of each device's share would not be that of the batch.

    The first device of ssil has new images only. And the transform of our own method must see the
    gradient of the whole batch: its state would be that of a share.
    """
    assert_same_steps(on_two_devices, name, on_one_device(name))


@pytest.mark.parametrize("name", ON_FOUR)
def test_four_devices_with_unequal_shares_take_the_steps_of_one(on_four_devices, name):
    """Batches of 6, or of 6 and 6: shares of 1 and 2 images, most of them without an old one."""
    assert_same_steps(on_four_devices, name, on_one_device(name))


@pytest.fixture(scope="module")
def machines():
    pytest.importorskip("ray", reason="needs Ray: pip install 'tfcil[cluster]'")
    with two_machines(Path(tiny_tasks.__file__).parent):
        yield


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", ON_TWO)
def test_two_machines_take_the_steps_of_one(name, machines, tmp_path):
    teacher, out = str(tmp_path / "teacher.keras"), str(tmp_path / "found.npz")
    save_classifier(on_one_device(name).teacher, teacher)
    work = functools.partial(tiny_tasks.learn_on_machines, name, teacher, out)
    train_together(2, work, facts=dict, progress=int, title=name)
    assert_same_steps(tiny_tasks.found(out, [name]), name, on_one_device(name))


def test_two_devices_give_the_weights_of_one_through_two_tasks(on_two_devices, tasks_in_a_chain):
    """Gradients are summed over devices: a mean over each share would count them twice."""
    expected = tasks_in_a_chain[3].get_weights()
    for value, same in zip(expected, on_two_devices[1]["chain"], strict=True):
        np.testing.assert_allclose(value, same, rtol=1e-5, atol=1e-5)


def test_two_processes_give_the_same_weights_to_the_bit(on_two_devices, tasks_in_a_chain):
    curves, weights = on_two_devices
    assert curves["chain alone"] == tasks_in_a_chain[2]
    expected = tasks_in_a_chain[3].get_weights()
    for value, same in zip(expected, weights["chain alone"], strict=True):
        np.testing.assert_array_equal(value, same)


def test_a_term_that_needs_the_whole_batch_is_refused_on_several_devices():
    """Also of a person's own method, whose facts do not say so."""
    task = learn(network(), 0, choice_of("replay")).phases[0].task
    term = Term("compared", 1.0, lambda batch: batch.labels, whole_batch=True)
    with pytest.raises(UserError, match=r"^The term compared needs .* Received: 2 devices$"):
        Trainer(seed=5, num_devices=2)(task, task.phase([term]))


def test_fewer_images_than_devices_are_told_in_one_line():
    task = learn(network(), 0, choice_of("replay")).phases[0].task
    recipe = task.recipe.model_copy(update={"batch_size": 3})
    phase = task.phase([task.classification()], recipe=recipe)
    with pytest.raises(UserError, match=r"each of the 4 devices\. Received: batch_size=3"):
        Trainer(seed=5, num_devices=4)(task, phase)
