"""What each phase of a method trains, keeps, sees and leaves behind: tiny trainings, watched."""

import numpy as np
import pytest
from tiny_tasks import (
    RECIPE,
    assert_same,
    choice_of,
    head_of,
    learn,
    of_backbone,
    run,
    state,
)

from tfcil.classifier import LOGITS, copied, num_classes, read_head
from tfcil.components.facts import Head
from tfcil.errors import UserError
from tfcil.training.train import Training

NUM_OLD, NUM_NEW, EXEMPLARS, IMAGES = 4, 3, 3, 15
HEADS = {"lucir": Head(kind="cosine"), "podnet": Head(kind="local_similarity", proxies=3)}


@pytest.mark.parametrize("name", ["lucir", "podnet"])
def test_old_columns_stay_in_the_main_phase_and_the_rest_moves(name):
    """Momentum and weight decay must leave them alone too."""
    main = run(name).phases[0]
    (old_kernel, old_scale), (kernel, scale) = map(head_of, main.student)
    old = NUM_OLD * HEADS[name].proxies
    np.testing.assert_array_equal(kernel[:, :old], old_kernel[:, :old])
    assert (np.abs(kernel[:, old:] - old_kernel[:, old:]).max(axis=0) > 0).all()
    assert scale != old_scale
    before, after = map(of_backbone, main.student)
    assert all(np.abs(before[one][0] - after[one][0]).max() > 0 for one in before)


def test_old_columns_stay_under_adamw_too():
    """Its decay is apart from the gradient, and would move them."""
    choice = choice_of("lucir", correction="none")
    recipe = RECIPE | {"optimizer": "adamw", "weight_decay": 0.5}
    (main,) = learn(run("lucir").teacher, 1, choice, recipe=recipe).phases
    (old_kernel, _), (kernel, _) = map(head_of, main.student)
    np.testing.assert_array_equal(kernel[:, :NUM_OLD], old_kernel[:, :NUM_OLD])
    assert (np.abs(kernel[:, NUM_OLD:] - old_kernel[:, NUM_OLD:]).max(axis=0) > 0).all()


@pytest.mark.parametrize("name", ["lucir", "podnet"])
def test_student_starts_with_the_columns_and_the_scale_of_its_teacher(name):
    found = run(name)
    kernel, scale = read_head(HEADS[name], found.teacher)
    start, start_scale = head_of(found.phases[0].student[0])
    np.testing.assert_array_equal(start[:, : kernel.shape[1]], kernel)
    np.testing.assert_allclose(start_scale, scale, rtol=1e-6)
    new = start[:, kernel.shape[1] :]
    assert new.shape[1] == NUM_NEW * HEADS[name].proxies
    norm = np.linalg.norm(kernel, axis=0).mean()
    np.testing.assert_allclose(np.linalg.norm(new, axis=0), norm, rtol=1e-5)


@pytest.mark.parametrize("name", ["lucir", "podnet", "der"])
def test_balancing_of_the_head_leaves_the_backbone_and_its_statistics(name):
    before, after = run(name).phases[1].student
    assert of_backbone(before)
    assert_same(of_backbone(before), of_backbone(after))
    # Also the old classes' columns move.
    assert (np.abs(head_of(before)[0] - head_of(after)[0]).max(axis=0) > 0).all()


def test_fine_tuning_of_eeil_moves_the_whole_network():
    before, after = map(of_backbone, run("eeil").phases[1].student)
    assert all(np.abs(before[one][0] - after[one][0]).max() > 0 for one in before)


@pytest.mark.parametrize("name", ["lucir", "podnet", "der", "eeil"])
def test_balancing_sees_as_many_images_of_each_class(name):
    found = run(name)
    labels = found.phases[1].task.labels
    assert np.bincount(labels).tolist() == [EXEMPLARS] * 7
    seen = np.concatenate(found.phases[1].seen())
    assert np.bincount(labels[seen[:21]]).tolist() == [EXEMPLARS] * 7
    assert found.curve[-1]["images"] == 32  # 21 images in batches of 16
    assert [row["phase"] for row in found.curve] == ["main", "balancing"]
    assert [row["epoch"] for row in found.curve] == [1, 2]


def test_main_phase_sees_every_image_and_counts_it():
    """Trap: exemplars stored but not trained on, or counted as their whole class."""
    found = run("lucir")
    main = found.phases[0]
    assert set(np.concatenate(main.seen())) == set(range(len(found.labels)))
    assert main.task.class_counts == (EXEMPLARS,) * NUM_OLD + (IMAGES,) * NUM_NEW
    assert (main.task.num_old, main.task.num_new, main.task.earlier) == (4, 3, (4,))


@pytest.mark.parametrize("name", ["podnet", "eeil", "der"])
def test_balanced_softmax_drops_the_fine_tuning_and_its_cost(name):
    balanced, published = run(name, "bsce"), run(name)
    assert [row["phase"] for row in balanced.curve] == ["main"]
    assert sum(row["images"] for row in balanced.curve) == 64
    assert sum(row["images"] for row in published.curve) == 96


def test_second_teacher_of_eeil_is_the_student_before_the_fine_tuning():
    """A teacher that shared weights with the student would teach nothing."""
    main, balancing = run("eeil").phases
    assert_same(balancing.teacher[0], balancing.student[0])
    assert_same(balancing.teacher[0], main.student[1])
    assert_same(balancing.teacher[1], balancing.teacher[0])
    assert num_classes(run("eeil").student) == 7


def test_ssil_joins_each_batch_of_new_images_with_exemplars():
    """16 new images and 6 exemplars a step; an epoch is one over the new images."""
    found = run("ssil")
    (phase,) = found.phases
    assert [one.size for one in phase.plan.sampler.samplers] == [16, 6]
    batches = phase.seen()
    assert len(batches) == 3  # 45 new images
    for indices in batches:
        is_old = found.labels[indices] < NUM_OLD
        assert is_old.tolist() == [False] * 16 + [True] * 6
    assert found.curve[0]["images"] == 66


def test_ssil_without_exemplars_trains_on_what_there_is():
    found = learn(run("ssil").teacher, 1, choice_of("ssil"), exemplars=0)
    assert found.phases[0].plan.sampler.size == 16
    assert set(found.labels[np.concatenate(found.phases[0].seen())]) == {4, 5, 6}


def test_meta_bsce_learns_its_coefficient_in_the_main_phase_alone():
    found = run("lucir", "meta_bsce", "none")
    assert [phase.hooks for phase in found.phases] == [1]
    assert found.curve[0]["alpha"] != 1


def test_state_of_a_model_is_a_copy():
    """What the tests above compare would otherwise be the same arrays."""
    model = copied(run("wa").student)
    weights = state(model)[0]
    model.get_layer(LOGITS).set_weights([0 * one for one in weights[LOGITS]])
    assert np.abs(weights[LOGITS][0]).max() > 0


@pytest.fixture
def untrainable_after(monkeypatch):
    """The teacher of a method, after whose first task any training fails."""

    def teacher(name):
        found = run(name).teacher
        monkeypatch.setattr(Training, "__init__", None)
        return found

    return teacher


@pytest.mark.parametrize("name", ["lucir", "podnet", "der", "eeil", "baseline"])
def test_balancing_without_an_exemplar_is_told_before_the_training(untrainable_after, name):
    choice = choice_of(name, correction="balanced_finetuning")
    teacher = untrainable_after(name)
    with pytest.raises(UserError, match=r"expected memory of 1 or more\. Received: no exemplar"):
        learn(teacher, 1, choice, exemplars=0)


def test_a_class_without_images_is_told_before_the_training_where_the_loss_refuses_it(
    untrainable_after,
):
    choice = choice_of("replay", "bsce", bsce={"zero_count": "error"})
    with pytest.raises(UserError, match="Received: none of class 0"):
        learn(untrainable_after("replay"), 1, choice, exemplars=0)
