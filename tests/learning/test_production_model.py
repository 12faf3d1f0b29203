"""A model trained elsewhere with plain Keras learns two classes and keeps those it knew."""

import keras
import numpy as np
import pytest
from characters import characters
from keras import layers

import tfcil
from tfcil.errors import UserError

OLD, ALL = 8, 10


@pytest.fixture(scope="module")
def production():
    """Trained on images of 0 to 1 by Adam, without batch normalisation."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(24, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(48, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(OLD, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = scaled(0, OLD)
    model.fit(images, labels, epochs=30, batch_size=32, verbose=0)
    return model


def scaled(first, last, split="train"):
    images, labels = characters(first, last, split)
    return images / np.float32(255), labels


def names(labels):
    return np.array([f"letter {label}" for label in labels])


def classifier(production, budget=40, **settings):
    class_names = names(range(OLD)).tolist()
    return tfcil.IncrementalClassifier.from_keras(
        production, class_names, budget=budget, **settings
    )


def accuracy(classifier, first, last):
    images, labels = scaled(first, last, "test")
    return np.mean(classifier.predict(images) == names(labels))


def learn_the_rest(classifier):
    images, labels = scaled(OLD, ALL)
    classifier.learn(images, names(labels))


def test_with_exemplars_old_classes_stay_and_new_ones_come(production):
    ours = classifier(production)
    known = accuracy(ours, 0, OLD)
    assert known > 0.8
    images, labels = scaled(0, OLD)
    ours.remember(images, names(labels))
    assert ours.memory.counts(OLD).tolist() == [5] * OLD
    assert ours.memory.images.dtype == np.float32
    learn_the_rest(ours)
    assert ours.memory.counts(ALL).tolist() == [4] * ALL
    assert accuracy(ours, 0, OLD) > known - 0.15
    assert accuracy(ours, OLD, ALL) > 0.5


def test_without_exemplars_it_goes_on_and_says_so(production):
    ours = classifier(production)
    with pytest.warns(UserWarning, match=r"call remember.*none of letter 0, .* and 3 more"):
        learn_the_rest(ours)
    assert ours.memory.counts(ALL).tolist() == [0] * OLD + [4] * 2
    assert accuracy(ours, 0, OLD) > 0.4


@pytest.mark.parametrize("method", [{"name": "bic", "loss": "ce"}, {"loss": "meta_bsce"}])
def test_methods_that_need_exemplars_say_what_to_do(production, method):
    with pytest.raises(UserError, match=r"call remember\(images, labels\)"):
        learn_the_rest(classifier(production, method=method))


def test_a_memory_needs_a_budget(production):
    images, labels = scaled(0, OLD)
    with pytest.raises(UserError, match=r"at least one exemplar.*Received: budget=0"):
        classifier(production, budget=0).remember(images, names(labels))
