"""What each stage of a method trains, keeps, sees and leaves behind: tiny trainings, watched."""

from unittest import mock

import numpy as np
import pytest
from tiny_tasks import assert_same, head_of, learn, of_backbone, run, state

from tfcil.classifier import LOGITS, Head, copied, expose, num_classes
from tfcil.classifier.inference import forward
from tfcil.config.params import Method
from tfcil.errors import UserError
from tfcil.methods import Increment, bic
from tfcil.methods.head_weights import corrected_logits

NUM_OLD, NUM_NEW, EXEMPLARS, IMAGES = 4, 3, 3, 15
HEADS = {"lucir": Head("cosine"), "podnet": Head("local_similarity", 3)}


def outputs(model, images, name):
    return forward(expose(model, name), images)[name]


def seen(stage):
    """The batches of all epochs: a list of arrays of indices."""
    plan = stage.plan
    return [indices for epoch in range(plan.epochs) for indices, _ in plan.epoch(epoch)]


@pytest.mark.parametrize("name", ["lucir", "podnet"])
def test_old_columns_stay_in_the_main_stage_and_the_rest_moves(name):
    """Momentum and weight decay must leave them alone too."""
    main = run(name).stages[0]
    (old_kernel, old_scale), (kernel, scale) = map(head_of, main.student)
    old = NUM_OLD * HEADS[name].proxies
    np.testing.assert_array_equal(kernel[:, :old], old_kernel[:, :old])
    assert (np.abs(kernel[:, old:] - old_kernel[:, old:]).max(axis=0) > 0).all()
    assert scale != old_scale
    before, after = map(of_backbone, main.student)
    assert all(np.abs(before[one][0] - after[one][0]).max() > 0 for one in before)


@pytest.mark.parametrize("name", ["lucir", "podnet"])
def test_student_starts_with_the_columns_and_the_scale_of_its_teacher(name):
    found = run(name)
    kernel, scale = HEADS[name].read(found.teacher)
    start, start_scale = head_of(found.stages[0].student[0])
    np.testing.assert_array_equal(start[:, : kernel.shape[1]], kernel)
    np.testing.assert_allclose(start_scale, scale, rtol=1e-6)
    new = start[:, kernel.shape[1] :]
    assert new.shape[1] == NUM_NEW * HEADS[name].proxies
    norm = np.linalg.norm(kernel, axis=0).mean()
    np.testing.assert_allclose(np.linalg.norm(new, axis=0), norm, rtol=1e-5)


@pytest.mark.parametrize("name", ["lucir", "podnet", "der"])
def test_balancing_of_the_head_leaves_the_backbone_and_its_statistics(name):
    before, after = run(name).stages[1].student
    assert of_backbone(before)
    assert_same(of_backbone(before), of_backbone(after))
    # Also the old classes' columns move.
    assert (np.abs(head_of(before)[0] - head_of(after)[0]).max(axis=0) > 0).all()


def test_fine_tuning_of_eeil_moves_the_whole_network():
    before, after = map(of_backbone, run("eeil").stages[1].student)
    assert all(np.abs(before[one][0] - after[one][0]).max() > 0 for one in before)


@pytest.mark.parametrize("name", ["lucir", "podnet", "der", "eeil"])
def test_balanced_stage_sees_as_many_images_of_each_class(name):
    found = run(name)
    (stream,) = found.stages[1].plan.streams
    assert np.bincount(found.labels[stream.indices]).tolist() == [EXEMPLARS] * 7
    assert len(np.unique(stream.indices)) == len(stream.indices)
    assert found.curve[-1]["images"] == 32  # 21 images in batches of 16
    assert [row["stage"] for row in found.curve] == ["main", "balancing"]
    assert [row["epoch"] for row in found.curve] == [1, 2]


def test_main_stage_sees_every_image():
    found = run("lucir")
    (stream,) = found.stages[0].plan.streams
    np.testing.assert_array_equal(np.sort(stream.indices), np.arange(len(found.labels)))
    assert found.increments[0].class_counts == (EXEMPLARS,) * NUM_OLD + (IMAGES,) * NUM_NEW


@pytest.mark.parametrize("name", ["podnet", "eeil", "der"])
def test_balanced_softmax_drops_the_second_stage_and_its_cost(name):
    balanced, published = run(name, "bsce"), run(name)
    assert [row["stage"] for row in balanced.curve] == ["main"]
    assert sum(row["images"] for row in balanced.curve) == 64
    assert sum(row["images"] for row in published.curve) == 96


def test_second_teacher_of_eeil_is_the_student_before_the_fine_tuning():
    """A teacher that shared weights with the student would teach nothing."""
    main, balancing = run("eeil").stages
    assert_same(balancing.teacher[0], balancing.student[0])
    assert_same(balancing.teacher[0], main.student[1])
    assert_same(balancing.teacher[1], balancing.teacher[0])
    assert num_classes(run("eeil").student) == 7


def test_bic_holds_images_out_that_it_neither_trains_on_nor_counts():
    """0.4 of 3 exemplars is 1 of each old class, and as many of each new one."""
    found = run("bic")
    trained = np.unique(np.concatenate(seen(found.stages[0])))
    held_out = np.setdiff1d(np.arange(len(found.labels)), trained)
    assert np.bincount(found.labels[held_out]).tolist() == [1] * 7
    counts = (EXEMPLARS - 1,) * NUM_OLD + (IMAGES - 1,) * NUM_NEW
    assert found.increments[0] == Increment(NUM_OLD, NUM_NEW, counts, (NUM_OLD,))


def test_bic_folds_its_bias_into_the_saved_model():
    """The model's logits are the corrected ones, of held-out images that are balanced."""
    fitted = []
    teacher = run("bic").teacher

    def fit_bias(logits, labels, num_old):
        fitted.append((logits, labels, num_old))
        return 0.5, -1.0

    with mock.patch.object(bic, "fit_bias", fit_bias):
        found = learn(teacher, 1, Method(name="bic", loss="ce", held_out=0.4))
    ((logits, labels, num_old),) = fitted
    assert num_old == NUM_OLD
    assert np.bincount(labels).tolist() == [1] * 7
    uncorrected = copied(found.student)
    uncorrected.get_layer(LOGITS).set_weights(head_of(found.stages[0].student[1]))
    images = found.images[:20]
    expected = corrected_logits(outputs(uncorrected, images, LOGITS), NUM_OLD, 0.5, -1.0)
    np.testing.assert_allclose(outputs(found.student, images, LOGITS), expected, atol=1e-5)
    trained = np.unique(np.concatenate(seen(found.stages[0])))
    held_out = np.setdiff1d(np.arange(len(found.labels)), trained)
    held = outputs(uncorrected, found.images[held_out], LOGITS)
    order, fitted_order = np.argsort(found.labels[held_out]), np.argsort(labels)
    np.testing.assert_allclose(logits[fitted_order], held[order], atol=1e-5)


def test_bic_without_its_second_stage_trains_on_everything():
    found = run("bic", second_stage=False)
    assert found.increments[0].class_counts == (EXEMPLARS,) * NUM_OLD + (IMAGES,) * NUM_NEW


def test_bic_tells_in_one_line_that_its_memory_is_too_small(monkeypatch):
    monkeypatch.setattr("tiny_tasks.EXEMPLARS", 1)
    with pytest.raises(UserError) as error:
        learn(run("bic").teacher, 1, Method(name="bic", loss="ce"))
    assert "memory of at least 2 per class. Received: 1 per class" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["lucir", "podnet", "der", "eeil"])
def test_balancing_without_an_exemplar_is_told_before_the_main_training(monkeypatch, name):
    teacher = run(name).teacher
    monkeypatch.setattr("tiny_tasks.EXEMPLARS", 0)
    monkeypatch.delattr("tfcil.training.trainer.Trainer.prepared")
    with pytest.raises(UserError, match=r"expected memory of 1 or more\. Received: no exemplar"):
        learn(teacher, 1, Method(name=name, loss="ce", second_stage=True, proxies=3))


def test_a_second_stage_without_a_recipe_is_told_before_the_main_training(monkeypatch):
    teacher = run("eeil").teacher
    monkeypatch.delattr("tfcil.training.trainer.Trainer.prepared")
    with pytest.raises(UserError, match="a recipe for the second stage of eeil"):
        learn(teacher, 1, Method(name="eeil", loss="ce"), second_stage=None)


def mean_norms(model):
    norms = np.linalg.norm(model.get_layer(LOGITS).get_weights()[0], axis=0)
    return norms[:NUM_OLD].mean(), norms[NUM_OLD:].mean()


def test_wa_gives_new_columns_the_mean_norm_of_the_old_ones():
    found = run("wa")
    old, new = mean_norms(found.student)
    assert new == pytest.approx(old, rel=1e-5)
    trained, bias = head_of(found.stages[0].student[1])
    norms = np.linalg.norm(trained, axis=0)
    assert abs(norms[NUM_OLD:].mean() - norms[:NUM_OLD].mean()) > 1e-3
    kernel, kept_bias = found.student.get_layer(LOGITS).get_weights()
    np.testing.assert_array_equal(kernel[:, :NUM_OLD], trained[:, :NUM_OLD])
    np.testing.assert_array_equal(kept_bias, bias)


@pytest.mark.parametrize(("loss", "options"), [("bsce", {}), ("ce", {"second_stage": False})])
def test_wa_leaves_the_head_where_it_does_not_correct(loss, options):
    found = run("wa", loss, **options)
    kernel, _ = found.student.get_layer(LOGITS).get_weights()
    np.testing.assert_array_equal(kernel, head_of(found.stages[0].student[1])[0])


def test_ssil_joins_each_batch_of_new_images_with_exemplars():
    """16 new images and 6 exemplars a step; an epoch is one over the new images."""
    found = run("ssil")
    (stage,) = found.stages
    assert [stream.batch_size for stream in stage.plan.streams] == [16, 6]
    batches = seen(stage)
    assert len(batches) == 3  # 45 new images
    for indices in batches:
        is_old = found.labels[indices] < NUM_OLD
        assert is_old.tolist() == [False] * 16 + [True] * 6
    assert found.curve[0]["images"] == 66


def test_ssil_without_exemplars_trains_on_what_there_is(monkeypatch):
    monkeypatch.setattr("tiny_tasks.EXEMPLARS", 0)
    found = learn(run("ssil").teacher, 1, Method(name="ssil", loss="ce"))
    assert [stream.batch_size for stream in found.stages[0].plan.streams] == [16]


def test_meta_bsce_learns_its_coefficient_in_the_main_stage_of_later_tasks():
    found = run("lucir", "meta-bsce")
    assert [stage.has_coefficient for stage in found.stages] == [True, False]
    main, balancing = found.curve
    assert main["alpha"] != 1
    assert "alpha" not in balancing


def test_state_of_a_model_is_a_copy():
    """What the tests above compare would otherwise be the same arrays."""
    model = copied(run("wa").student)
    weights = state(model)[0]
    model.get_layer(LOGITS).set_weights([0 * one for one in weights[LOGITS]])
    assert np.abs(weights[LOGITS][0]).max() > 0
