"""Trains a head on features that were computed once, where the network before it is frozen."""

import dataclasses

from tfcil import classifier

UNVARIED = {"crop_padding": 0, "flip": False, "resized_crop": False, "sides": []}


def suits(task) -> bool:
    """Tells whether a task can be learned on features: nothing before them changes.

    Neither the network, nor the images by their augmentation.
    """
    recipe = task.recipe
    varies = any(getattr(recipe, key) != value for key, value in UNVARIED.items())
    return recipe.trainable == "head" and task.head.kind == "linear" and not varies


def unvaried(recipe):
    """Returns the `Recipe` for a training on features: without augmentation, all of it trained."""
    return recipe.model_copy(update={**UNVARIED, "trainable": "all"})


def on_features(task, network):
    """Returns the task with features instead of images, and a teacher that takes them.

    They are images of one pixel with as many channels. Reserved images become features, too.

    Args:
        task: the `Task`.
        network: its teacher, frozen.
    """

    teacher = classifier.classifier_of_features(network)

    def changed(one):
        features = one.extract(network, one.images)[:, None, None, :]
        return dataclasses.replace(one, images=features, teacher=teacher)

    return dataclasses.replace(changed(task), reserved=task.reserved and changed(task.reserved))


def with_network(model, trained):
    """Returns the classifier from images that has the head of one from features.

    Args:
        model: the classifier from images whose network computed the features.
        trained: the classifier from features, in the saved form.
    """
    return classifier.with_head(model, *trained.get_layer(classifier.LOGITS).get_weights())
