"""Makes a student from its teacher: with more classes, or with one more backbone."""

import keras
import numpy as np

from tfcil.classifier.heads import head_layer, read_head
from tfcil.classifier.model import FEATURES, num_classes
from tfcil.components.facts import Head

BRANCH = "_branch"


def copied(model, new_input=None, rename=str, call=None):
    """Returns an independent copy of a model, on a new input or the given one.

    Args:
        model: a functional model.
        new_input: symbolic tensor; None: one like the model's.
        rename: function from the name of a layer to the name of its copy.
        call: `call(layer, *args, **options)` returns the output of a copied layer, where layers
            come or go; None: calls the layer.
    """

    def renamed(layer):
        return type(layer).from_config(layer.get_config() | {"name": rename(layer.name)})

    copy = keras.models.clone_model(
        model, input_tensors=new_input, clone_function=renamed, call_function=call
    )
    weights = {rename(layer.name): layer.get_weights() for layer in model.layers}
    for layer in copy.layers:
        if layer.name in weights:
            layer.set_weights(weights[layer.name])
    for _, layer in layers_by_path(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # computes the constants that it uses instead of its weights
    return copy


def layers_by_path(model, prefix=""):
    """Yields path and layer, such as `base/conv1`; the layers of a nested model come after it."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if isinstance(layer, keras.Model):
            yield from layers_by_path(layer, f"{prefix}{layer.name}/")


def frozen_layers(model):
    """Returns the paths of layers whose weights are not trained; of nested ones, the outermost."""
    found = []
    for path, layer in layers_by_path(model):
        inside = found and path.startswith(f"{found[-1]}/")
        if layer.weights and not layer.trainable and not inside:
            found.append(path)
    return found


def freeze(model, paths):
    """Freezes the layers at these paths, a result of `frozen_layers`."""
    for path, layer in layers_by_path(model):
        if path in paths:
            layer.trainable = False


def grown(model, num_new, generator, head=None, columns=None):
    """Makes a student: an independent copy of `model` whose head knows `num_new` more classes.

    The old classes keep their columns; the new ones are drawn from U(-1/sqrt(d), 1/sqrt(d)), with
    zero bias.

    Args:
        model: the model of the task before, or an untrained one. It does not change.
        num_new: number of classes to add.
        generator: a `numpy.random.Generator`.
        head: a `Head`, by default a linear one; the head of `model` must be of that kind.
        columns: (d, num_new * proxies), weight vectors of the new classes; None draws them.

    Returns:
        A `keras.Model` from images to logits (batch, old + new), float32, in the trained form.
    """
    head = head or Head()
    copy = copied(keras.Model(model.input, model.get_layer(FEATURES).output, name=model.name))
    dimension, num_old = copy.output.shape[-1], num_classes(model)
    if columns is None:
        columns = drawn(generator, dimension, num_new * head.proxies)
    layer = head_layer(head, num_old + num_new)
    student = keras.Model(copy.input, layer(copy.output), name=model.name)
    _, rest = layer.get_weights()  # a bias of 0, or a scale of 1
    if num_old:
        old_kernel, old_rest = read_head(head, model)
        columns = np.concatenate([old_kernel, columns], axis=1)
        rest = np.append(old_rest, rest[num_old:]) if head.kind == "linear" else old_rest
    layer.set_weights([columns, rest])
    return student


def expanded(model, num_new, generator, auxiliary):
    """Makes a student with one more backbone; the old backbones are frozen.

    The features are the concatenated features of all backbones. The new backbone starts as a copy
    of the newest. The old classes keep their weights on the old features; all other weights of the
    linear head are drawn as in `grown`.

    Args:
        model: the model of the task before. It does not change.
        num_new: number of classes to add.
        generator: a `numpy.random.Generator`.
        auxiliary: number of outputs of a second head for training, on the new features alone.

    Returns:
        A `keras.Model` from images to the outputs `logits` (batch, old + new) and `auxiliary`,
        float32; the layers features_branch0, features_branch1, ... end its backbones.
    """
    ends = branches(model)
    newest = len(ends) - 1

    def first_branch(name):
        return f"{FEATURES}{BRANCH}0" if name == FEATURES else name

    def next_branch(name):
        return f"{name.removesuffix(f'{BRANCH}{newest}')}{BRANCH}{newest + 1}"

    old = keras.Model(model.input, [layer.output for layer in ends])
    trunk = copied(old, rename=first_branch)
    trunk.trainable = False
    branch = copied(keras.Model(model.input, [ends[-1].output]), trunk.input, next_branch)
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


def drawn(generator, dimension, count):
    """Draws weight vectors, (dimension, count), from U(-1/sqrt(dimension), 1/sqrt(dimension))."""
    bound = dimension**-0.5
    return generator.uniform(-bound, bound, (dimension, count)).astype("float32")
