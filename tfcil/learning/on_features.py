"""Trains a head on features that were computed once, where the network before it is frozen."""

import dataclasses

import keras

from tfcil import classifier


def suits(task) -> bool:
    """Tells whether a task can be learned on features: nothing before them changes.

    Neither the network, nor the images by their augmentation.
    """
    recipe = task.recipe
    varies = recipe.crop_padding or recipe.flip or recipe.resized_crop or recipe.sides
    return recipe.trainable == "head" and task.head.kind == "linear" and not varies


def on_features(task, network):
    """Returns the task with features instead of images, and a teacher that takes them.

    They are images of one pixel with as many channels. Reserved images become features, too.

    Args:
        task: the `Task`.
        network: its teacher, frozen.
    """

    def changed(one):
        features = one.extract(network, one.images)[:, None, None, :]
        return dataclasses.replace(one, images=features, teacher=_head_of(network))

    return dataclasses.replace(changed(task), reserved=task.reserved and changed(task.reserved))


def with_network(model, trained):
    """Returns the classifier from images that has the head of one from features.

    Args:
        model: the classifier from images whose network computed the features.
        trained: the classifier from features, in the saved form.
    """
    return classifier.with_head(model, *trained.get_layer(classifier.LOGITS).get_weights())


def _head_of(model):
    """Returns the classifier from features; of no class, where the model knows none."""
    dimension = model.get_layer(classifier.FEATURES).output.shape[-1]
    image = keras.Input((1, 1, dimension), name="image")
    features = keras.layers.Flatten(dtype="float32", name=classifier.FEATURES)(image)
    head = keras.Model(image, features, name=model.name)
    if not classifier.num_classes(model):
        return head
    return classifier.with_head(head, *model.get_layer(classifier.LOGITS).get_weights())
