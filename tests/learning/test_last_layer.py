"""tfcil.retrain_head on any Keras classifier: what moves, what stays, what is refused."""

import keras
import numpy as np
import pytest
from keras import layers

import tfcil
from tfcil.errors import UserError

CLASSES = 3


def images(count=30, shape=(6, 6, 1), seed=0):
    """Noise around a pattern per class, and the labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    patterns = np.random.default_rng(9).normal(size=(CLASSES, *shape))
    noise = generator.normal(size=(count, *shape))
    return (patterns[labels] + 0.5 * noise).astype("float32"), labels


def model(activation=None, *after, shape=(6, 6, 1), **dense):
    keras.utils.set_random_seed(0)
    last = layers.Dense(CLASSES, activation=activation, name="last", **dense)
    flat = [layers.Flatten(), layers.Dense(8, activation="relu", name="body")]
    return keras.Sequential([keras.Input(shape), *flat, last, *after])


def nested():
    inputs = keras.Input((6, 6, 1))
    return keras.Model(inputs, model("softmax")(layers.Rescaling(2.0)(inputs)))


MODELS = {
    "logits": model,
    "softmax inside": lambda: model("softmax"),
    "softmax behind": lambda: model(None, layers.Softmax()),
    "nested": nested,
}


def accuracy(found):
    x, y = images(300, seed=1)
    return np.mean(found.predict(x, verbose=0).argmax(axis=1) == y)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_last_layer_alone_is_fitted(make):
    found = make()
    before, trainable = found.get_weights(), [one.trainable for one in found.layers]
    was = accuracy(found)
    assert tfcil.retrain_head(found, *images()) is found
    after = found.get_weights()
    for value, kept in zip(after[:-2], before[:-2], strict=True):
        np.testing.assert_array_equal(value, kept)
    assert np.abs(after[-2] - before[-2]).max() > 0.01
    assert [one.trainable for one in found.layers] == trainable
    assert accuracy(found) > was + 0.3


def test_models_of_vectors_have_a_last_layer_too():
    found = model(shape=(5,))
    x, y = images(shape=(5,))
    tfcil.retrain_head(found, x, y, batch_size=7)
    assert np.mean(found.predict(x, verbose=0).argmax(axis=1) == y) > 0.9


def test_a_seed_draws_the_same_images_and_another_one_others():
    x, y = images()
    x, y = x[:28], np.where(np.arange(28) < 20, y[:28], 0)  # classes of unequal size
    heads = [tfcil.retrain_head(model(), x, y, seed=s).get_weights()[-2] for s in (1, 1, 2)]
    np.testing.assert_array_equal(heads[0], heads[1])
    assert np.abs(heads[0] - heads[2]).max() > 1e-5


X, Y = images()


@pytest.mark.parametrize(
    ("found", "labels", "options", "told"),
    [
        (lambda: model("sigmoid"), Y, {}, "activation=sigmoid"),
        (lambda: model(None, layers.ReLU()), Y, {}, r"Received: last layer=.* \(ReLU\)"),
        (lambda: model(use_bias=False), Y, {}, "layer=last with use_bias=False"),
        (model, Y[:-1], {}, r"one integer for each of 30 images. Received: .*\(29,\)"),
        (model, Y.astype(float), {}, "Received: labels of shape .* type float64"),
        (model, Y + 1, {}, "from 0 to 2 and of no other. Received: label 0 without an image"),
        (model, np.where(Y == 1, 5, Y), {}, "Received: label 1 without an image"),
        (model, np.where(np.arange(30) == 0, -1, Y), {}, "Received: label -1 in labels"),
        (model, Y, {"penalty": "l3"}, "penalty: expected 'l1' or 'l2'"),
        (model, Y, {"strength": 0.0}, "strength: .*greater than 0"),
        (model, Y, {"repeats": 0}, "repeats: .*greater than or equal to 1"),
    ],
)
def test_what_cannot_be_fitted_is_told_in_one_line_and_changes_nothing(
    found, labels, options, told
):
    made = found()
    before = made.get_weights()
    with pytest.raises(UserError, match=told) as error:
        tfcil.retrain_head(made, X, labels, **options)
    assert "\n" not in str(error.value)
    for value, kept in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
