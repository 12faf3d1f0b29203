"""What the options of a recipe do to a training, one by one."""

import keras
import numpy as np
import pytest
from tiny_tasks import RECIPE, choice_of, first_task, images_of, network, task_settings, trained

from tfcil.classifier import expose, grown, resized
from tfcil.components.recipe import Recipe
from tfcil.errors import UserError
from tfcil.layers.augmentation import resize, resized_shape
from tfcil.layers.draws import Augmentation
from tfcil.learning.task import train_task
from tfcil.losses import norm_alignment
from tfcil.training import Balanced, Joined, Shuffled, Task, make_deterministic
from tfcil.training.averaging import MovingAverage, recompute_batch_statistics
from tfcil.training.checkpoint import Checkpoint
from tfcil.training.samplers import Plan
from tfcil.training.train import Training, make_engine, take_steps

ALTERNATING = Augmentation(crop_padding=2, flip="alternating")
EVERYTHING = {"flip": "alternating", "sides": [14, 28], "label_smoothing": 0.1, "ema": 0.3}


def phase_of(**recipe):
    """A ready training of the first four classes, its engine and its task."""
    images, labels = images_of(0, 4)
    task = Task(
        teacher=network(),
        num_old=0,
        num_new=4,
        earlier=(),
        images=images,
        labels=labels,
        recipe=Recipe(**RECIPE | recipe),
        head=choice_of("baseline").method.head,
        loss=choice_of("baseline").first_loss.defined("term"),
        generator=np.random.default_rng(0),
    )
    training = Training(task, task.phase([task.classification()]), (5, 0, 0))
    return training, make_engine(training), task


def weights_of(training):
    return [np.array(one) for one in training.student.trainable_variables]


def flips_of(plan):
    """Which images were flipped in each epoch: an array (epochs, images)."""
    flips = [[] for _ in range(1 + int(plan.sampler.indices.max()))]
    for epoch in range(plan.epochs):
        for _, indices, draws in plan.epoch(epoch):
            for index, flip in zip(indices, draws[:, -1], strict=True):
                flips[index].append(flip)
    return np.array([one[: plan.epochs] for one in flips]).T


def test_alternating_flips_each_image_in_every_other_pass():
    """Also where a batch holds the end of one pass and the beginning of the next."""
    flips = flips_of(Plan(Shuffled(np.arange(50), 16), 4, (3, 0, 0), ALTERNATING))
    np.testing.assert_array_equal(flips[1:], 1 - flips[:-1])
    assert flips[0].sum() == 25


def test_alternating_counts_the_passes_of_each_sampler():
    samplers = (Shuffled(np.arange(30), 10), Shuffled(np.arange(30, 40), 10, number=1))
    flips = flips_of(Plan(Joined(samplers), 2, (3, 0, 0), ALTERNATING))
    np.testing.assert_array_equal(flips[1], 1 - flips[0])


def test_alternating_flips_half_of_what_is_drawn_by_class():
    sampler = Balanced(np.repeat([0, 1], [90, 10]), 20)
    draws = [draws for _, _, draws in Plan(sampler, 40, (3, 0, 0), ALTERNATING).epoch(3)]
    assert 0.3 < np.concatenate(draws)[:, -1].mean() < 0.7


def test_sides_share_the_steps_equally():
    plan = Plan(Shuffled(np.arange(40), 8), 3, (0,), sides=(14, 20, 28))
    assert [plan.side(step) for step in range(15)] == [14] * 5 + [20] * 5 + [28] * 5
    assert Plan(Shuffled(np.arange(40), 8), 3, (0,)).side(7) is None


def test_a_resized_pixel_is_the_weighted_mean_of_those_it_covers():
    """Four pixels become two: the triangle of the first covers pixels 0 to 2 with 3, 3 and 1."""
    row = np.array([0, 70, 140, 210], "uint8")
    images = np.broadcast_to(row[None, None, :, None], (1, 4, 4, 1))
    found = np.array(resize(keras.ops.convert_to_tensor(images.copy()), 2))
    assert found.shape == (1, 2, 2, 1)
    first = (3 * 0 + 3 * 70 + 1 * 140) / 7
    np.testing.assert_allclose(found[0, :, :, 0], [[first, 210 - first]] * 2, rtol=1e-5)


def test_the_shorter_side_is_the_side():
    assert resized_shape((40, 60, 3), 20) == (20, 30, 3)


def test_a_resized_model_is_the_same_layers_in_the_same_order():
    model = expose(grown(network(), 4, np.random.default_rng(0)), "logits")
    smaller = resized(model, 14)
    assert smaller.input.shape == (None, 14, 14, 1)
    for kind in ("trainable_variables", "non_trainable_variables"):
        pairs = zip(getattr(model, kind), getattr(smaller, kind), strict=True)
        assert all(one is other for one, other in pairs)
    image = np.random.default_rng(0).uniform(0, 255, (2, 14, 14, 1)).astype("float32")
    other_input = keras.Input((14, 14, 1))
    x = other_input
    for layer in model.layers[1:]:
        x = layer(x)
    expected = keras.Model(other_input, x).predict(image, verbose=0)
    np.testing.assert_allclose(smaller.predict(image, verbose=0)["logits"], expected, atol=1e-6)


def test_a_network_of_one_size_is_refused_before_training():
    inputs = keras.Input((28, 28, 1))
    features = keras.layers.Dense(4, name="features")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, features)
    with pytest.raises(UserError, match="takes images of any size") as error:
        resized(model, 14)
    assert "\n" not in str(error.value)


def test_averages_follow_the_weights_step_by_step():
    """After n steps: decay^n of the first weights, and each later one as often as it was kept."""
    make_deterministic()
    training, engine, task = phase_of(ema=0.5, epochs=2)
    decay = 1 - 1 / (0.5 * training.plan.steps)
    assert MovingAverage(0.5 * training.plan.steps).decay == pytest.approx(decay)
    expected = weights_of(training)
    for epoch in range(2):
        for _ in take_steps(training, engine, epoch, task):
            engine.write_back()
            pairs = zip(expected, weights_of(training), strict=True)
            expected = [decay * kept + (1 - decay) * value for kept, value in pairs]
    training.end(task.images)
    for value, kept in zip(weights_of(training), expected, strict=True):
        np.testing.assert_allclose(value, kept, atol=2e-6)


def test_batch_statistics_are_those_of_the_images():
    """Without augmentation and in whole batches, mean and variance are averages over batches."""
    inputs = keras.Input((2, 2, 3))
    normalise = keras.layers.BatchNormalization()
    frozen = keras.layers.BatchNormalization(trainable=False)
    model = keras.Model(inputs, frozen(normalise(inputs)))
    images = np.random.default_rng(0).normal(5, 2, (40, 2, 2, 3)).astype("float32")
    plan = Plan(Shuffled(np.arange(40), 20), 3, (0,))
    recompute_batch_statistics(model, plan, images)
    batches = [images[plan.batch(step)[0]] for step in (6, 7)]
    for statistic, found in (("mean", normalise.moving_mean), ("var", normalise.moving_variance)):
        one = np.mean([getattr(batch, statistic)(axis=(0, 1, 2)) for batch in batches], axis=0)
        np.testing.assert_allclose(np.array(found), one, rtol=1e-4)
    assert np.array(frozen.moving_mean).tolist() == [0, 0, 0]
    assert normalise.momentum == 0.99


class KilledError(Exception):
    """Stands for the end of the process."""


def second_task(checkpoint=None, kill_after=None, **recipe):
    """Trains the second task of the baseline with bsce; the weights and the curve."""
    choice = choice_of("baseline", "bsce")
    chosen = task_settings(choice.later_task(), earlier=[4], recipe=RECIPE | recipe)

    def on_epoch(row, _):
        if row["epoch"] == kill_after:
            raise KilledError

    make_deterministic()
    teacher = first_task(choice)
    student, curve, _ = train_task(lambda: teacher, *images_of(4, 7), chosen, on_epoch, checkpoint)
    return student.get_weights(), curve


def test_with_all_of_them_a_killed_training_ends_the_same(tmp_path):
    expected, expected_curve = second_task(**EVERYTHING, epochs=4)
    for epoch in (2, 4):  # the last one: killed before the averages replace the weights
        kept = Checkpoint(tmp_path / "00.npz", "digest")
        with pytest.raises(KilledError):
            second_task(kept, epoch, **EVERYTHING, epochs=4)
    kept = Checkpoint(tmp_path / "00.npz", "digest")
    weights, curve = second_task(kept, **EVERYTHING, epochs=4)
    assert curve == expected_curve
    for value, one in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(value, one)


@pytest.mark.parametrize("option", EVERYTHING)
def test_each_of_them_changes_the_training(option):
    plain, _ = second_task()
    changed, _ = second_task(**{option: EVERYTHING[option]})
    assert not all(np.array_equal(one, other) for one, other in zip(plain, changed, strict=True))


def test_averages_need_no_more_than_the_classifier():
    """The saved model has no trace of them: the same layers as without."""
    plain = trained(network, *images_of(0, 4), task_settings({}))[0]
    smooth = trained(network, *images_of(0, 4), task_settings({}, recipe=RECIPE | {"ema": 0.2}))[0]
    assert [one.shape for one in plain.get_weights()] == [one.shape for one in smooth.get_weights()]
    assert plain.get_config()["layers"] == smooth.get_config()["layers"]


def test_norm_alignment_draws_the_norms_of_old_and_new_classes_together():
    """And the row of the curve is the regulariser of the head before its factor."""

    def spread_of(weight):
        choice = choice_of("baseline")
        recipe = RECIPE | {"epochs": 10, "learning_rate": 0.01, "norm_alignment": weight}
        settings = task_settings(choice.later_task(), recipe=recipe, earlier=[4])
        student, curve, _ = trained(lambda: first_task(choice), *images_of(4, 7), settings)
        norms = np.linalg.norm(student.get_layer("logits").get_weights()[0], axis=0)
        return norm_alignment(norms[None], 4).numpy()[0], curve

    without, curve = spread_of(0.0)
    assert "norm_alignment" not in curve[0]
    with_it, curve = spread_of(0.3)
    assert with_it < 0.5 * without
    assert curve[-1]["norm_alignment"] == pytest.approx(with_it, rel=0.5)
    assert curve[-1]["norm_alignment"] < curve[0]["norm_alignment"]
