"""One task after the other from arrays of one's own, without files and without DVC."""

import numpy as np

from tfcil.classifier import FEATURES, expose, num_classes, untrained
from tfcil.data.images import channel_statistics
from tfcil.data.store import Concatenated
from tfcil.exemplars import ExemplarMemory
from tfcil.inference import forward
from tfcil.params import Exemplars, Recipe, TaskSettings
from tfcil.training import train_task


def learn(
    images,
    labels,
    model=None,
    memory=None,
    budget=0,
    recipe=None,
    method=None,
    exemplars=None,
    second_stage=None,
    earlier=None,
    backbone="simple_cnn",
    seed=0,
):
    """Teaches a model the classes of one task and chooses the exemplars to keep.

    Args:
        images: (n, height, width, channels) uint8, of the new classes only.
        labels: (n,) integers: the first task counts its classes from 0, a later one goes on with
            the first number that `model` does not know.
        model: what the call for the task before returned, or `None` for the first task. It is left
            as it was.
        memory: likewise.
        budget: exemplars kept over all classes; 0: none.
        recipe: dictionary with the keys of the section `increment` of params.yaml.
        method: dictionary with the keys of the section `method`; the same for every task.
        exemplars: dictionary with the keys of the section `exemplars`.
        second_stage: dictionary with the keys of the section `second_stage`, for methods with one;
            by default `recipe`.
        earlier: number of classes of each task before, for methods that distil them one by one;
            by default the classes that `model` knows are one task.
        backbone: network of the first task, as in params.yaml.
        seed: of everything drawn.

    Returns:
        The new model, a plain `keras.Model` from raw images to logits over all classes so far, and
        the new `ExemplarMemory`.

    Raises:
        UserError: where the labels don't fit the model, or a setting is wrong.

    Example:
        >>> model, memory = tfcil.learn(images, labels, budget=200)
        >>> model, memory = tfcil.learn(more_images, more_labels, model, memory, budget=200)
        >>> model.save("classifier.keras")
    """
    recipe = Recipe.of(recipe or {"epochs": 30}, "recipe")
    values = {"recipe": recipe, "second_stage": second_stage or recipe, "method": method or {}}
    settings = TaskSettings.of(values | {"earlier": earlier, "seed": seed}, "learn")
    exemplars = Exemplars.of(exemplars or {}, "exemplars")
    labels = np.asarray(labels)
    if model is None:
        mean, std = channel_statistics(images)
        model = untrained(backbone, images.shape[1:], mean, std, seed=seed)
    if memory is None:
        memory = ExemplarMemory.empty(images.shape[1:])
    student, _ = train_task(
        lambda: model,
        Concatenated(images, memory.images),
        np.concatenate([labels, memory.labels]),
        settings,
    )
    num_seen = num_classes(student)
    memory = memory.update(
        images,
        labels,
        forward(expose(student, FEATURES), images)[FEATURES],
        num_seen,
        budget,
        exemplars.per_class,
        exemplars.selection,
        np.random.default_rng([seed, num_seen]),
    )
    return student, memory
