"""Any Keras classifier with a Dense head becomes ours, and gives the same answers."""

import keras
import numpy as np
import pytest
from keras import layers

import tfcil
from tfcil.classifier import adopted, frozen_layers, open_classifier, save_classifier
from tfcil.errors import UserError

SHAPE = (12, 12, 3)
CLASSES = 4


def images(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, *SHAPE)).astype("float32")


def features(x):
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.GlobalAveragePooling2D()(layers.ReLU()(x))


def base(name="base"):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, features(inputs), name=name)


def functional():
    inputs = keras.Input(SHAPE, name="photo")
    x = layers.Dropout(0.5)(features(layers.Rescaling(1 / 127.5, -1)(inputs)))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax", name="logits")(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 3, strides=3, activation="relu", name="image"),
            layers.Flatten(name="features"),
            layers.Dense(8, activation="relu", name="map1"),
            layers.Dense(CLASSES, use_bias=False, name="products"),
            layers.Softmax(name="logits"),
        ]
    )


def logits_of_a_nested_base():
    return keras.Sequential([keras.Input(SHAPE), base(), layers.Dense(CLASSES)])


def nested_head():
    """As the guide to transfer learning has it: a frozen base in inference mode."""
    inputs = keras.Input(SHAPE)
    head = keras.Sequential([layers.Dropout(0.2), layers.Dense(CLASSES, activation="softmax")])
    frozen = base()
    frozen.trainable = False
    return keras.Model(inputs, head(frozen(inputs, training=False)))


def nested_whole():
    return keras.Sequential([keras.Input(SHAPE), layers.Rescaling(1 / 255), functional()])


def adapted_normalisation():
    """Its mean and variance are no weights that a copy gets by itself."""
    scaling = layers.Normalization()
    scaling.adapt(images(20))
    nested = keras.Sequential([scaling, layers.Conv2D(4, 3, strides=3), layers.Flatten()])
    return keras.Sequential(
        [keras.Input(SHAPE), nested, layers.Dense(CLASSES), layers.Activation("softmax")]
    )


def operations():
    inputs = keras.Input(SHAPE)
    x = keras.ops.mean(layers.Conv2D(4, 3)(inputs), axis=(1, 2))
    return keras.Model(inputs, keras.ops.softmax(layers.Dense(CLASSES)(x)))


def log_probabilities_of_fixed_batches():
    inputs = keras.Input(batch_shape=(5, *SHAPE), name="photo")
    outputs = layers.Dense(CLASSES, activation="log_softmax")(features(inputs))
    return keras.Model({"photo": inputs}, {"answer": outputs})


def compiled_and_built_late():
    model = keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(CLASSES)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images(4), np.arange(4), verbose=0)
    return model


KINDS = [
    *(functional, sequential, logits_of_a_nested_base, nested_head, nested_whole),
    *(adapted_normalisation, operations, log_probabilities_of_fixed_batches),
    compiled_and_built_late,
]


def randomised(model):
    """Gives every weight a value of its own: new ones are equal where a mistake could hide."""
    generator = np.random.default_rng(1)
    model.set_weights([one + generator.uniform(0, 0.1, one.shape) for one in model.get_weights()])
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            scaling = [one for one in layer.layers if isinstance(one, layers.Normalization)]
            for one in scaling:
                one.finalize_state()
    return model


def same_answers(logits, answers):
    """Their output may be logits, probabilities or their logarithms."""
    forms = (logits, keras.ops.softmax(logits), keras.ops.log_softmax(logits))
    return any(np.abs(np.array(form) - answers).max() < 1e-6 for form in forms)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_it_answers_as_before_learns_a_class_and_opens_with_keras(kind, tmp_path):
    keras.utils.set_random_seed(7)
    theirs = randomised(kind())
    shape = tuple(theirs.inputs[0].shape[1:])
    photos = np.random.default_rng(3).uniform(0, 255, (5, *shape)).astype("float32")
    before = [np.array(one) for one in theirs.get_weights()]
    config, nodes = str(theirs.get_config()), [len(one._outbound_nodes) for one in theirs.layers]
    answers = theirs(photos if theirs.input_shape == (None, *shape) else {"photo": photos})
    answers = np.array(answers["answer"] if isinstance(answers, dict) else answers)

    classifier = tfcil.IncrementalClassifier.from_keras(theirs, budget=0)
    assert same_answers(classifier.model(photos), answers)
    names = [layer.name for layer in classifier.model.layers]
    assert names[-2:] == ["features", "logits"]
    assert len(set(names)) == len(names)

    classifier.learn(photos, [4, 4, 5, 5, 5], recipe={"epochs": 1, "learning_rate": 1e-3})
    assert classifier.model.output.shape == (None, CLASSES + 2)
    save_classifier(classifier.model, tmp_path / "model.keras")
    np.testing.assert_array_equal(
        open_classifier(tmp_path / "model.keras")(photos), classifier.model(photos)
    )
    assert str(theirs.get_config()) == config
    assert [len(one._outbound_nodes) for one in theirs.layers] == nodes
    for weight, kept in zip(theirs.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_a_whole_application_is_adopted():
    keras.utils.set_random_seed(7)
    theirs = randomised(keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=4))
    photos = np.random.default_rng(3).uniform(0, 255, (2, 32, 32, 3))
    assert same_answers(adopted(theirs)(photos), np.array(theirs(photos)))


def test_half_precision_is_kept_and_rounds_the_head_less():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs = keras.Input(SHAPE)
        logits = layers.Dense(CLASSES)(features(inputs))
        theirs = keras.Model(inputs, layers.Activation("softmax", dtype="float32")(logits))
    finally:
        keras.config.set_dtype_policy("float32")
    ours = adopted(theirs)
    assert ours.layers[1].compute_dtype == "bfloat16"
    np.testing.assert_allclose(keras.ops.softmax(ours(images(3))), theirs(images(3)), atol=0.02)


def test_what_is_frozen_stays_frozen(tmp_path):
    theirs = logits_of_a_nested_base()
    convolution, normalisation = theirs.layers[0].layers[1:3]
    convolution.trainable = False
    settings = {"recipe": {"epochs": 1}, "budget": 0, "folder": tmp_path / "state"}
    classifier = tfcil.IncrementalClassifier.from_keras(theirs, **settings)
    for task in (1, 2):
        classifier.learn(images(6, seed=task), [10 * task, 10 * task + 1] * 3)
        assert frozen_layers(classifier.model) == [f"base/{convolution.name}"]
        classifier = tfcil.IncrementalClassifier.open(tmp_path / "state")
        assert frozen_layers(classifier.model) == [f"base/{convolution.name}"]
    learned = classifier.model.get_layer("base")
    np.testing.assert_array_equal(learned.get_layer(convolution.name).kernel, convolution.kernel)
    moved = learned.get_layer(normalisation.name).gamma - normalisation.gamma
    assert np.abs(moved).max() > 0


def subclassed():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(CLASSES)

        def call(self, inputs):
            return self.dense(layers.Flatten()(inputs))

    model = Own()
    model(images(1))
    return model


def ends_with(*last, x=features):
    inputs = keras.Input(SHAPE)
    outputs = x(inputs)
    for layer in last:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="theirs")


class Unregistered(layers.Layer):
    def call(self, inputs):
        return inputs


def two_outputs():
    inputs = keras.Input(SHAPE)
    x = features(inputs)
    return keras.Model(inputs, [layers.Dense(4)(x), layers.Dense(2)(x)])


def of_vectors():
    return keras.Sequential([keras.Input((7,)), layers.Dense(4)])


REFUSED = {
    "not a model": (lambda: "model.keras", "built keras.Model.*Received: model=str"),
    "not built": (lambda: keras.Sequential([layers.Dense(3)]), "not built yet"),
    "subclassed": (subclassed, "subclass of keras.Model.*Received: model=Own"),
    "no Dense": (ends_with, r"ends with a Dense layer.*global_average_pooling2d.*\(Global"),
    "one sigmoid": (
        lambda: ends_with(layers.Dense(1, activation="sigmoid")),
        "one per class, two classes at least.*1 outputs, activation=sigmoid",
    ),
    "sigmoids": (lambda: ends_with(layers.Dense(4, activation="sigmoid")), "activation=sigmoid"),
    "normalised after it": (
        lambda: ends_with(layers.Dense(4), layers.BatchNormalization(name="last")),
        r"last layer=last \(BatchNormalization\)",
    ),
    "per pixel": (lambda: ends_with(layers.Dense(4), x=lambda x: x), r"shape \(batch, d\)"),
    "two outputs": (two_outputs, "2 outputs"),
    "vectors": (of_vectors, r"images \(batch, height.*\(None, 7\)"),
    "Lambda": (
        lambda: ends_with(layers.Lambda(lambda x: 2 * x, name="twice"), layers.Dense(4)),
        "Lambda layer.*Received: layer=twice",
    ),
    "unregistered": (
        lambda: ends_with(Unregistered(name="mine"), layers.Dense(4)),
        r"register_keras_serializable\(\)\). Received: layer=mine \(Unregistered\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_adopted_is_told_in_one_line(case):
    make, told = REFUSED[case]
    with pytest.raises(UserError, match=told) as refusal:
        adopted(make())
    assert "\n" not in str(refusal.value)


@keras.saving.register_keras_serializable(package="test_adopt")
class Secretive(layers.Layer):
    """Holds a number that neither its weights nor its config tell."""

    factor = 1.0

    def call(self, inputs):
        return self.factor * inputs


def test_a_layer_that_holds_more_than_its_weights_is_found_out():
    theirs = ends_with(Secretive(), layers.Dense(4))
    assert adopted(theirs).output.shape == (None, 4)  # registered layers are welcome
    theirs.layers[-2].factor = 3.0
    with pytest.raises(UserError, match=r"copy gives the same answers.*model=theirs"):
        adopted(theirs)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"class_names": ["a", "b", "c"]}, "4 different .*Received: 3 names"),
        ({"class_names": ["a", "b", "c", "a"]}, "4 names, 3 different"),
        ({"class_names": [1, "b", None, "a"]}, "strings.*NoneType, int, str"),
        ({"method": {"name": "lucir"}}, "linear head.*Received: method.name=lucir"),
        ({"backbone": "resnet18"}, "the model brings it. Received: backbone"),
    ],
)
def test_settings_that_do_not_fit_a_trained_model_are_refused(settings, told):
    with pytest.raises(UserError, match=told):
        tfcil.IncrementalClassifier.from_keras(functional(), budget=20, **settings)
