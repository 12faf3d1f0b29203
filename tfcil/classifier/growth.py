"""How a student is made of its teacher: with more classes, or with one more backbone."""

import keras
import numpy as np

from tfcil.classifier.heads import head_layer, read_head
from tfcil.classifier.model import FEATURES, num_classes
from tfcil.components.facts import Head

BRANCH = "_branch"


def copied(model, new_input=None):
    """Returns an independent copy of a model, on an input of its own or the given one."""
    return _filled(keras.models.clone_model(model, input_tensors=new_input), model)


def _filled(copy, model):
    """Gives a copy the weights of a model."""
    copy.set_weights(model.get_weights())
    for _, layer in layers_by_path(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with constants that are made of its weights
    return copy


def layers_by_path(model, prefix=""):
    """Yields each layer with its path, such as `base/conv1`: those of nested models follow it."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if isinstance(layer, keras.Model):
            yield from layers_by_path(layer, f"{prefix}{layer.name}/")


def frozen_layers(model):
    """Returns the paths of the layers with weights that are not trained, the outermost only."""
    found = []
    for path, layer in layers_by_path(model):
        inside = found and path.startswith(f"{found[-1]}/")
        if layer.weights and not layer.trainable and not inside:
            found.append(path)
    return found


def freeze(model, paths):
    """Freezes the layers at these paths, as `frozen_layers` gives them."""
    for path, layer in layers_by_path(model):
        if path in paths:
            layer.trainable = False


def grown(model, num_new, generator, head=None, columns=None):
    """Makes a student: an independent copy of `model` whose head knows `num_new` more classes.

    The old classes keep their columns; the new ones are drawn from U(-1/sqrt(d), 1/sqrt(d)), with
    zero bias.

    Args:
        model: the model of the task before, or an untrained one. It is left as it was.
        num_new: number of classes to add.
        generator: a `numpy.random.Generator`.
        head: a `Head`, by default a linear one; the head of `model` must be of that kind.
        columns: (d, num_new * proxies) the new classes' weight vectors, instead of drawn ones.

    Returns:
        A `keras.Model` from images to logits (batch, old + new), float32, in the form that is
        trained.
    """
    head = head or Head()
    copy = copied(keras.Model(model.input, model.get_layer(FEATURES).output, name=model.name))
    dimension, num_old = copy.output.shape[-1], num_classes(model)
    if columns is None:
        columns = drawn(generator, dimension, num_new * head.proxies)
    layer = head_layer(head, num_old + num_new)
    student = keras.Model(copy.input, layer(copy.output), name=model.name)
    old_kernel, rest = read_head(head, model) if num_old else (columns[:, :0], None)
    if head.kind == "linear":
        rest = np.concatenate([rest if num_old else [], np.zeros(num_new)])
    elif not num_old:
        rest = np.float32(1)
    layer.set_weights([np.concatenate([old_kernel, columns], axis=1), rest])
    return student


def expanded(model, num_new, generator, auxiliary):
    """Makes a student with one more backbone beside the old ones, which are frozen.

    The features are those of all backbones, one after the other. The new backbone starts as a copy
    of the newest, the old classes keep their weights on the old features, and what is new in the
    linear head is drawn as in `grown`.

    Args:
        model: the model of the task before. It is left as it was.
        num_new: number of classes to add.
        generator: a `numpy.random.Generator`.
        auxiliary: outputs of a second head, on the new backbone's features alone, for training.

    Returns:
        A `keras.Model` from images to the outputs `logits` (batch, old + new) and `auxiliary`,
        float32; the outputs of its backbones are those of the layers features_branch0,
        features_branch1, ...
    """
    ends = branches(model)
    trunk = _renamed_copy(model.input, [layer.output for layer in ends], _first_branch)
    trunk.trainable = False
    newest = len(ends) - 1

    def next_branch(name):
        return f"{name.removesuffix(f'{BRANCH}{newest}')}{BRANCH}{newest + 1}"

    branch = _renamed_copy(model.input, [ends[-1].output], next_branch, trunk.input)
    outputs = [*trunk.outputs, *branch.outputs]
    features = keras.layers.Concatenate(dtype="float32", name=FEATURES)(outputs)
    old_kernel, old_bias = read_head(Head(), model)
    kernel = drawn(generator, features.shape[-1], old_kernel.shape[1] + num_new)
    kernel[: old_kernel.shape[0], : old_kernel.shape[1]] = old_kernel
    head = head_layer(Head(), kernel.shape[1])
    second = keras.layers.Dense(auxiliary, dtype="float32", name="auxiliary")
    heads = {"logits": head(features), "auxiliary": second(branch.outputs[0])}
    head.set_weights([kernel, np.concatenate([old_bias, np.zeros(num_new)])])
    second.set_weights([drawn(generator, *second.kernel.shape), np.zeros(auxiliary)])
    return keras.Model(trunk.input, heads, name=model.name)


def branches(model):
    """Returns the layers that end the backbones of a classifier, the oldest first."""
    several = [layer for layer in model.layers if layer.name.startswith(f"{FEATURES}{BRANCH}")]
    return several or [model.get_layer(FEATURES)]


def _first_branch(name):
    return f"{FEATURES}{BRANCH}0" if name == FEATURES else name


def _renamed_copy(inputs, outputs, rename, new_input=None):
    """Copies the layers between inputs and outputs, weights included, under other names."""
    part = keras.Model(inputs, outputs)

    def renamed(layer):
        return type(layer).from_config(layer.get_config() | {"name": rename(layer.name)})

    copy = keras.models.clone_model(part, input_tensors=new_input, clone_function=renamed)
    return _filled(copy, part)


def drawn(generator, dimension, count):
    """Draws weight vectors, (dimension, count), from U(-1/sqrt(dimension), 1/sqrt(dimension))."""
    bound = dimension**-0.5
    return generator.uniform(-bound, bound, (dimension, count)).astype("float32")
