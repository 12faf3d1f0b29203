"""Trains the adapter of a network with a head of the first task, once."""

import dataclasses

from tfcil import classifier
from tfcil.errors import UserError


def with_trained_adapter(task, train):
    """Returns the task with a network whose adapter is trained, where the recipe asks for it.

    The adapter and a head are trained together by the task's recipe and loss. In a step, the
    context is the batch. Then the factors are computed from as many images of each class, and stay.

    Args:
        task: the `Task`.
        train: the `Trainer`.

    Returns:
        The task with the new network, whose `trainable` is `head`; or the task itself.

    Raises:
        UserError: in a later task, or where the network has no adapter.
    """
    if task.recipe.trainable != "adapter":
        return task
    if task.num_old:
        raise UserError(
            "trainable: expected adapter for the first task alone, as the features of old classes "
            f"stay what they were. Received: trainable=adapter, {task.num_old} classes before"
        )
    network = classifier.adapter_in_training(task.teacher)
    student = classifier.grown(network, task.num_new, task.generator, task.head)
    # On several devices each would see a part of the context.
    term = dataclasses.replace(task.classification(), whole_batch=True)
    trained = train(task, task.phase([term], student, "adapter"))
    context = task.only(classifier.context_of(task.images, task.labels)).images
    network = classifier.trained_adapter(classifier.network_of(trained), context)
    recipe = task.recipe.model_copy(update={"trainable": "head"})
    return dataclasses.replace(task, teacher=network, recipe=recipe)
