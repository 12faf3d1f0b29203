"""What a method can ask of a phase: sampler, changing loss, frozen layers, hooks, transforms."""

import numpy as np
import pytest
from keras import ops
from tiny_tasks import (
    RECIPE,
    assert_same,
    choice_of,
    head_of,
    learn,
    network,
    of_backbone,
    run,
    state,
)

from tfcil.components.recipe import Recipe
from tfcil.layers.draws import Augmentation
from tfcil.training import (
    Balanced,
    Batch,
    BeforeStep,
    Clipped,
    Joined,
    Shuffled,
    Term,
    Transform,
)
from tfcil.training.phase import head_only
from tfcil.training.train import Trainer, Training, fit

STEPS = 4  # 57 images in batches of 16


@pytest.fixture
def task():
    """The second task, 4 old and 3 new classes, as a method is given it."""
    return run("replay").phases[0].task


@pytest.fixture
def trained(task):
    """Trains phases of that task, each made by `task.phase`; returns the curve and the models."""

    def train(*phases):
        trainer = Trainer(seed=5)
        models = [trainer(task, phase) for phase in phases]
        return trainer.curve, models

    return train


def told(name, told_of, weight=0.0):
    """A term that shows a number of the batch in the curve, the mean over the steps."""

    def values(batch):
        return told_of(batch) * ops.ones_like(batch.student["logits"][:, 0])

    return Term(name, weight, values)


def test_progress_runs_from_0_towards_1_over_all_epochs(task, trained):
    recipe = Recipe.of(RECIPE | {"epochs": 2}, "")
    terms = [task.classification(), told("progress", lambda batch: batch.progress)]
    curve, _ = trained(task.phase(terms, recipe=recipe))
    steps = np.arange(8) / 8  # 114 images in batches of 16
    expected = [steps[:4].mean(), steps[4:].mean()]
    assert [row["progress"] for row in curve] == pytest.approx(expected, rel=1e-6)


def test_a_loss_may_change_over_the_phase(task, trained):
    """It ends with the first half of the steps, or never begins: then nothing moves."""

    def moved(begin, end):
        def values(batch):
            active = ops.logical_and(batch.progress >= begin, batch.progress < end)
            return ops.cast(active, "float32") * task.classification().values(batch)

        student = task.grown()
        before = head_of(state(student)[0])[0]
        recipe = Recipe.of(RECIPE | {"weight_decay": 0}, "")
        phase = task.phase([Term("classification", 1.0, values)], student, recipe=recipe)
        (row,), (model,) = trained(phase)
        return row["loss"], np.abs(head_of(state(model)[0])[0] - before).max()

    assert moved(1, 2) == (0, 0)
    (half, some), (whole, more) = moved(0, 0.5), moved(0, 1)
    assert min(some, more) > 0
    assert half == pytest.approx(whole / 2, rel=0.2)


class Counting(BeforeStep):
    """Learns how many old images were seen so far."""

    def __init__(self, preparation):
        import keras

        self.preparation = preparation
        self._seen = keras.Variable(0.0)
        self.variables, self.calls = [self._seen], []

    def told(self):
        return {"old": float(self._seen.numpy())}

    def update(self, step, images, labels, draws, learning_rate):
        self.calls.append((step, images.shape, draws.shape, float(learning_rate)))
        old = (labels < self.preparation.task.num_old).sum()
        self._seen.assign(self._seen + float(old))


def test_a_hook_runs_before_each_step_and_the_terms_see_what_it_tells(task, trained):
    hooks = []

    def before_step(preparation):
        hooks.append(Counting(preparation))
        return hooks[-1]

    seen = told("seen", lambda batch: batch.told["old"])
    seen = Term(seen.name, 0.0, seen.values, before_step=before_step)
    phase = task.phase([task.classification(), seen])
    (row,), (model,) = trained(phase)
    (hook,) = hooks
    assert hook.preparation.classifier is model
    assert hook.preparation.seed == (5, 4, 0)
    assert hook.preparation.augmentation == Augmentation(crop_padding=2, flip=True)
    assert [call[:3] for call in hook.calls] == [
        (step, (16, 28, 28, 1), (16, 3)) for step in range(STEPS)
    ]
    rates = [call[3] for call in hook.calls]
    assert rates == pytest.approx(0.5e-3 * (1 + np.cos(np.pi * np.arange(STEPS) / STEPS)))
    # 12 of 57 images are old; the wrap-around of the last batch may add some.
    assert 12 <= row["old"] <= 19
    assert 0 < row["seen"] <= row["old"]


def test_a_sampler_decides_what_a_step_sees(task, trained):
    old = np.flatnonzero(task.labels < 4)
    sampler = Joined((Balanced(task.labels, 14), Shuffled(old, 4, number=1)))
    counts = told("old", lambda batch: ops.mean(ops.cast(batch.labels[14:] < 4, "float32")))
    size = told("size", lambda batch: 1.0 * batch.labels.shape[0])
    (row,), _ = trained(task.phase([task.classification(), counts, size], sampler=sampler))
    assert row["size"] == 18
    assert row["old"] == 1
    assert row["images"] == 18 * 5  # 57 images in steps of 14


def test_only_some_images_are_a_smaller_task_whose_counts_follow(task):
    chosen = np.array([0, 0, 1, 50, 56])
    smaller = task.only(chosen)
    np.testing.assert_array_equal(smaller.labels, task.labels[chosen])
    np.testing.assert_array_equal(smaller.images[:], task.images[chosen])
    np.testing.assert_array_equal(smaller.images[np.array([4, 1])], task.images[chosen[[4, 1]]])
    assert smaller.class_counts == tuple(np.bincount(task.labels[chosen], minlength=7))
    assert len(smaller.class_counts) == 7
    assert (smaller.num_old, smaller.num_new, smaller.teacher) == (4, 3, task.teacher)
    again = smaller.only(np.array([3]))
    np.testing.assert_array_equal(again.images[:], task.images[50:51])
    assert set(task.new().labels) == {4, 5, 6}
    assert task.class_counts == (3, 3, 3, 3, 15, 15, 15)


def test_the_loss_of_a_smaller_task_has_its_counts():
    """Nothing has to be told twice: the balanced softmax of 2 equal classes is cross-entropy."""
    whole = run("baseline", "bsce").phases[0].task
    equal = whole.only(np.concatenate([np.flatnonzero(whole.labels == k)[:3] for k in range(7)]))
    plain = run("replay").phases[0].task.classification()

    logits = ops.convert_to_tensor(np.eye(7)[:2], "float32")
    batch = Batch(ops.convert_to_tensor([0, 6], "int32"), {"logits": logits})
    expected = plain.values(batch)
    np.testing.assert_allclose(equal.classification().values(batch), expected, rtol=1e-6)
    assert np.abs(whole.classification().values(batch) - expected).max() > 0.1


def test_layers_that_are_not_trained_keep_weights_and_statistics(task, trained):
    student = task.grown()
    before = state(student)[0]
    phase = task.phase([task.classification()], student, trainable=head_only)
    _, (model,) = trained(phase)
    after = state(model)[0]
    assert of_backbone(before)
    assert_same(of_backbone(before), of_backbone(after))
    assert np.abs(head_of(after)[0] - head_of(before)[0]).max() > 0


def test_a_phase_leaves_no_layer_frozen_for_the_next_one(task, trained):
    student = task.grown()
    frozen = task.phase([task.classification()], student, "head", trainable=head_only)
    before = state(student)[0]
    _, models = trained(frozen, task.phase([task.classification()], student, "all"))
    assert models == [student, student]
    assert state(student)[1] == [True] * len(student.layers)
    moved = of_backbone(state(student)[0])
    assert all(np.abs(moved[name][0] - before[name][0]).max() > 0 for name in moved)


def test_phases_need_different_names(task, trained):
    """Their curve and checkpoint go by the name."""
    twice = [task.phase([task.classification()]) for _ in range(2)]
    with pytest.raises(ValueError, match=r"different names\. Received: main twice"):
        trained(*twice)


def test_each_phase_goes_on_in_the_curve_and_draws_anew(task, trained):
    phases = [task.phase([task.classification()], name=name) for name in ("first", "second")]
    curve, _ = trained(*phases)
    assert [(row["epoch"], row["phase"]) for row in curve] == [(1, "first"), (2, "second")]
    # The same images in another order, from other first columns: another loss.
    assert curve[0]["loss"] != curve[1]["loss"]


class Recorded(Transform):
    """Keeps the largest element of any gradient so far."""

    def init(self, variables):
        self.count = len(variables)
        return [np.zeros((), "float32")]

    def update(self, gradients, state, variables, step):
        largest = ops.max(ops.stack([ops.max(ops.abs(one)) for one in gradients]))
        return gradients, [ops.maximum(state[0], largest)]


def test_transforms_run_in_their_order_after_the_decay(task):
    """What comes after the clipping sees clipped gradients, of every trainable variable."""

    def largest(*transforms):
        training = Training(
            task, task.phase([task.classification()], transforms=transforms), (5, 4, 0)
        )
        fit(training, task)
        (found,) = training.transform_state
        assert transforms[-1].count == len(training.student.trainable_variables) > 4
        return float(found.numpy())

    assert largest(Recorded()) > 0.01
    assert largest(Clipped(0.01), Recorded()) == pytest.approx(0.01)


def test_a_first_task_is_a_task_without_old_classes():
    found = learn(network(), 0, choice_of("lucir"))
    (main,) = found.phases
    assert main.teacher == [None, None]
    assert (main.task.num_old, main.task.earlier, main.task.class_counts) == (0, (), (15,) * 4)
    assert list(found.curve[0])[5:] == ["classification"]
