"""Which classes arrive when: the class order and the tasks it is cut into."""

import itertools
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from tfcil.errors import UserError, brief, nearest

# The three CIFAR-100 orders of PODNet (arXiv 2004.13513), also used by DER (arXiv 2103.16788).
_PODNET_ORDERS = {
    "podnet_1": """
        87 0 52 58 44 91 68 97 51 15 94 92 10 72 49 78 61 14 8 86 84 96 18 24 32 45 88 11 4 67 69
        66 77 47 79 93 29 50 57 83 17 81 41 12 37 59 25 20 80 73 1 28 6 46 62 82 53 9 31 75 38 63
        33 74 27 22 36 3 16 21 60 19 70 90 89 43 5 42 65 76 40 30 23 85 2 95 56 48 71 64 98 13 99
        7 34 55 54 26 35 39""",
    "podnet_2": """
        58 30 93 69 21 77 3 78 12 71 65 40 16 49 89 46 24 66 19 41 5 29 15 73 11 70 90 63 67 25 59
        72 80 94 54 33 18 96 2 10 43 9 57 81 76 50 32 6 37 7 68 91 88 95 85 4 60 36 22 27 39 42 34
        51 55 28 53 48 38 17 83 86 56 35 45 79 99 84 97 82 98 26 47 44 62 13 31 0 75 14 52 74 8 20
        1 92 87 23 64 61""",
    "podnet_3": """
        71 54 45 32 4 8 48 66 1 91 28 82 29 22 80 27 86 23 37 47 55 9 14 68 25 96 36 90 58 21 57 81
        12 26 16 89 79 49 31 38 46 20 92 88 40 39 98 94 19 95 72 24 64 18 60 50 63 61 83 76 69 35 0
        52 7 65 42 73 74 30 41 3 6 53 13 56 70 77 34 97 75 2 17 93 33 84 99 51 62 87 5 15 10 78 67
        44 59 85 43 11""",
}
_ORDER_NAMES = ("natural", "lucir_1993", "icarl_1993", *_PODNET_ORDERS)


def class_order(name_or_seed, num_classes):
    """Computes the order in which the classes of a data set arrive.

    Papers call two different CIFAR-100 orders "seed 1993": `lucir_1993` is the first permutation
    of that seed (LUCIR, PyCIL, FACIL), `icarl_1993` the one that iCaRL's loader draws after it has
    shuffled the images (iCaRL, PODNet).

    Args:
        name_or_seed: str, int or list of int. `"natural"` (as the data set numbers its classes),
            `"lucir_1993"` (any number of classes), `"icarl_1993"`, `"podnet_1"`, `"podnet_2"`,
            `"podnet_3"` (100 classes); a seed in 0..2**32-1; or the labels in order of arrival.
        num_classes: int, classes of the data set.

    Returns:
        int64 array `(num_classes,)`: the data set's labels of the classes, in order of arrival.

    Raises:
        UserError: the name is unknown or published for 100 classes only, the seed is out of
            range, or the list is not a permutation of `0..num_classes-1`.

    Example:
        >>> class_order("lucir_1993", 100)[:5].tolist()
        [68, 56, 78, 8, 23]

    Reference:
        Rebuffi et al., iCaRL (arXiv 1611.07725); Hou et al., LUCIR (CVPR 2019);
        Douillard et al., PODNet (arXiv 2004.13513): released class orders.
    """
    if isinstance(name_or_seed, str):
        order = _published_order(name_or_seed, num_classes)
    elif isinstance(name_or_seed, Integral) and not isinstance(name_or_seed, bool):
        order = _seeded_order(int(name_or_seed), num_classes)
    else:
        order = _explicit_order(name_or_seed, num_classes)
    return np.asarray(order, dtype=np.int64)


def check_order_name(name):
    """Returns `name`; raises a `UserError` if no class order has that name."""
    if name not in _ORDER_NAMES:
        raise UserError(
            f"order must be one of {', '.join(_ORDER_NAMES)}, a seed or a list of labels"
            f"{nearest(name, _ORDER_NAMES)}. Received: order={brief(name)}"
        )
    return name


def _published_order(name, num_classes):
    check_order_name(name)
    if name == "natural":
        return np.arange(num_classes)
    if name == "lucir_1993":
        return _seeded_order(1993, num_classes)
    if num_classes != 100:
        raise UserError(
            f"order {name!r} is published for 100 classes only. Received: num_classes={num_classes}"
        )
    if name in _PODNET_ORDERS:
        return _PODNET_ORDERS[name].split()
    # iCaRL's loader shuffles the 500 images of each of the 100 classes before it draws the class
    # order from the same stream.
    random = np.random.RandomState(1993)
    for _ in range(100):
        random.permutation(500)
    return random.permutation(100)


def _seeded_order(seed, num_classes):
    if not 0 <= seed < 2**32:
        raise UserError(f"order as a seed must be between 0 and 2**32 - 1. Received: order={seed}")
    # The legacy stream, because it is frozen and the published orders were drawn from it.
    return np.random.RandomState(seed).permutation(num_classes)


def _explicit_order(order, num_classes):
    if (
        not isinstance(order, list | tuple | np.ndarray)
        or not all(isinstance(label, Integral) for label in order)
        or sorted(order) != list(range(num_classes))
    ):
        raise UserError(
            f"order must be a published name, a seed, or a list of each label of "
            f"0..{num_classes - 1} once. Received: order={brief(order)}"
        )
    return order


@dataclass(frozen=True)
class TaskClasses:
    """The classes that arrive together.

    Attributes:
        key: name of the task in params.yaml and in the names of its files.
        after: key of the task before it, `"start"` for the base task.
        recipe: section of params.yaml that trains it.
        labels: the data set's labels of its classes, in order of arrival.
        num_old: number of classes that arrived before it.
        names: class names, in the order of `labels`.
    """

    key: str
    after: str
    recipe: str
    labels: tuple[int, ...]
    num_old: int
    names: tuple[str, ...]

    @property
    def num_new(self):
        """Number of classes that arrive with this task."""
        return len(self.labels)

    @property
    def num_seen(self):
        """Number of classes that a model knows after this task."""
        return self.num_old + self.num_new

    @property
    def ranks(self):
        """Ranks of its classes: the labels a model is trained with."""
        return range(self.num_old, self.num_seen)


def build_tasks(specs, order, class_names):
    """Computes the tasks that the `tasks` block of params.yaml describes.

    A task that names its classes takes them out of the order; a task that only counts its classes
    takes the next ones of the rest. Classes may be left over.

    Args:
        specs: mapping from key to `{"classes": int or list of names, "after": str,
            "recipe": str}`, in order of arrival.
        order: int array `(len(class_names),)`, from `class_order`.
        class_names: list of str, the name of each label of the data set.

    Returns:
        List of `TaskClasses`, in order of arrival.

    Raises:
        UserError: there is no task, the tasks are no chain from `start`, a count is below one,
            a class name is unknown, ambiguous or used twice, or the tasks ask for more classes
            than there are.
    """
    if len(order) != len(class_names):
        raise ValueError(
            f"order must rank each of the {len(class_names)} classes. Received: {len(order)} ranks"
        )
    check_chain(specs)
    named = set()
    requests = {
        key: _request(key, spec["classes"], class_names, named) for key, spec in specs.items()
    }
    asked = len(named) + sum(each for each in requests.values() if isinstance(each, int))
    if asked > len(class_names):
        raise UserError(
            f"the tasks ask for {asked} classes, but the data set has {len(class_names)}. "
            f"Received: tasks of {asked} classes"
        )
    rest = (label for label in map(int, order) if label not in named)
    tasks, num_old = [], 0
    for key, request in requests.items():
        labels = tuple(itertools.islice(rest, request)) if isinstance(request, int) else request
        names = tuple(class_names[label] for label in labels)
        after, recipe = specs[key]["after"], specs[key]["recipe"]
        tasks.append(TaskClasses(key, after, recipe, labels, num_old, names))
        num_old += len(labels)
    return tasks


def check_chain(specs):
    """Checks that tasks follow each other from `start` on; `specs` as for `build_tasks`."""
    if not specs:
        raise UserError(f"tasks must hold at least one task. Received: tasks={specs!r}")
    expected = "start"
    for key, spec in specs.items():
        if key == "start":
            raise UserError("'start' stands for the untrained model. Received: tasks.start")
        if spec["after"] != expected:
            raise UserError(
                f"tasks.{key}.after must be {expected!r}: tasks form one chain in the order they "
                f"are written. Received: tasks.{key}.after={brief(spec['after'])}"
            )
        expected = key


def _request(key, classes, class_names, named):
    """Returns the number of classes a task asks for; or the labels of those it names."""
    if isinstance(classes, Integral) and not isinstance(classes, bool) and classes >= 1:
        return int(classes)
    if isinstance(classes, list | tuple) and classes:
        return tuple(_label_of(key, name, class_names, named) for name in classes)
    raise UserError(
        f"tasks.{key}.classes must be a count of at least 1 or a list of class names. "
        f"Received: tasks.{key}.classes={classes!r}"
    )


def _label_of(key, name, class_names, named):
    """Returns the label of a class and adds it to `named`, the labels that tasks have named."""
    labels = [label for label, known in enumerate(class_names) if known == name]
    if len(labels) == 1 and labels[0] not in named:
        named.add(labels[0])
        return labels[0]
    if not isinstance(name, str):
        problem = "must be names as quoted text"
    elif len(labels) == 1:
        problem = "must not name a class that was named before"
    elif labels:
        problem = f"must be unambiguous, and {len(labels)} classes of the data set are called so"
    else:
        problem = f"must be names of the data set's classes{nearest(name, class_names)}"
    raise UserError(f"tasks.{key}.classes {problem}. Received: class name={name!r}")


def protocol(base, increment, total):
    """Computes the `tasks` block of params.yaml for equal steps after a base task.

    Args:
        base: int, classes of the base task.
        increment: int, classes of every later task; the last task may have fewer.
        total: int, classes of all tasks.

    Returns:
        Dict from key to `{"classes": int, "after": str, "recipe": "base" | "increment"}`.

    Raises:
        UserError: a number is below one, or `base` exceeds `total`.

    Example:
        >>> [task["classes"] for task in protocol(50, 20, 100).values()]
        [50, 20, 20, 10]
    """
    if base < 1 or base > total:
        raise UserError(f"base must be between 1 and total={total}. Received: base={base}")
    if increment < 1:
        raise UserError(f"increment must be at least 1. Received: increment={increment}")
    sizes = [base, *(min(increment, total - seen) for seen in range(base, total, increment))]
    width = max(2, len(str(len(sizes) - 1)))
    tasks, after = {}, "start"
    for index, size in enumerate(sizes):
        key, recipe = str(index).zfill(width), "increment" if index else "base"
        tasks[key] = {"classes": size, "after": after, "recipe": recipe}
        after = key
    return tasks
