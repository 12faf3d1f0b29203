"""Keras losses: the base of tfcil's, and one that wraps any loss function of tfcil."""

import copy
import inspect
import json
import reprlib

import keras
import numpy as np
from keras import ops

from tfcil import losses
from tfcil.errors import UserError, nearest
from tfcil.losses.numerics import check_bandwidths, check_q, check_temperature, working_dtype
from tfcil.losses.ranking import check_variant

# The functions check their options at the first batch; these need no batch to be checked.
EARLY_CHECKS = {
    "bandwidths": check_bandwidths,
    "q": check_q,
    "temperature": check_temperature,
    "variant": check_variant,
}


class Loss(keras.losses.Loss):
    """A Keras loss that computes in float32 or wider and saves its dtype.

    Keras casts the labels to the loss's dtype too, and half precision can't hold them: label 257
    becomes 256 in bfloat16.
    """

    def __init__(self, name, reduction, dtype):
        policy = keras.dtype_policies.get(dtype or keras.config.floatx())
        dtype = working_dtype(policy.compute_dtype)
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def get_config(self):
        return {**super().get_config(), "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="tfcil")
class FunctionLoss(Loss):
    """Wraps a loss function of `tfcil.losses` as a Keras loss, for `compile()`.

    `y_true` and `y_pred` are the function's first two arguments. For a distillation function,
    `y_true` is therefore the teacher's output.

    `compile()` gives each output of a model its own loss. For `pod_spatial`, give each map a loss
    and a `loss_weights` of 1 / maps: the sum is then the mean over the maps.

    Args:
        function: a loss function, such as `logit_distillation`, or its name.
        reduction: how Keras reduces the batch.
        name: name of the loss; by default the function's.
        dtype: type of the computation; narrower types than float32 become float32.
        **options: the function's other arguments: numbers, strings, or lists and arrays of them.
            They are saved with the model.

    Raises:
        UserError: the function is not one of `tfcil.losses`, lacks a required option or has no
            such option, or an option can't be saved.

    Example:
        >>> model.compile("sgd", loss=FunctionLoss("logit_distillation", temperature=3.0))
    """

    def __init__(self, function, reduction="sum_over_batch_size", name=None, dtype=None, **options):
        self._function = _known_function(function)
        self._options = _checked_options(self._function, options)
        name = name or self._function.__name__
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        return self._function(y_true, y_pred, **self._options)

    def get_config(self):
        return {
            **super().get_config(),
            "function": self._function.__name__,
            **copy.deepcopy(self._options),
        }


def loss_functions():
    """Returns the functions that `FunctionLoss` takes, a dictionary by name.

    They are those of `tfcil.losses` whose first argument is the labels or a teacher's output.
    """
    public = {name: getattr(losses, name) for name in losses.__all__}
    return {
        name: each
        for name, each in public.items()
        if inspect.isfunction(each)
        and next(iter(inspect.signature(each).parameters)).startswith(("y_true", "teacher_"))
    }


def _known_function(function):
    known = loss_functions()
    name = function if isinstance(function, str) else getattr(function, "__name__", None)
    if name not in known or function not in (name, known[name]):
        raise UserError(
            f"function must be a loss function of tfcil.losses or its name, one of "
            f"{', '.join(known)}{nearest(name, known)}. Received: function={function!r}"
        )
    return known[name]


def _checked_options(function, options):
    """Checks the options; returns a copy of them, as read from JSON."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    # A teacher's output changes with every batch: it can't be an option.
    known = {each.name: each for each in parameters if not each.name.startswith("teacher_")}
    for name, value in options.items():
        if name not in known:
            raise UserError(
                f"{function.__name__} takes {', '.join(known) or 'no options'}"
                f"{nearest(name, known)}. Received: {name}={reprlib.repr(value)}"
            )
    for name, parameter in known.items():
        if name not in options and parameter.default is inspect.Parameter.empty:
            raise UserError(
                f"{function.__name__} needs the option {name}. Received: options={sorted(options)}"
            )
    options = {name: _saved_form(name, value) for name, value in options.items()}
    for name in EARLY_CHECKS.keys() & options.keys():
        EARLY_CHECKS[name](options[name])
    return options


def _saved_form(name, value):
    """Returns a copy of `value` made of numbers, strings and lists."""
    try:
        return json.loads(json.dumps(value, default=_listed))
    except TypeError:
        raise UserError(
            f"{name} must be a number, a string, or a list or array of them. "
            f"Received: {name}={reprlib.repr(value)}"
        ) from None


def _listed(value):
    if isinstance(value, np.ndarray | np.generic) or ops.is_tensor(value):
        return ops.convert_to_numpy(value).tolist()
    raise TypeError(type(value))
