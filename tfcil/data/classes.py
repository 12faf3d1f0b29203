"""A data set with some of its classes only, such as the 100 of ImageNet-Subset."""

import re
from dataclasses import replace

import numpy as np

from tfcil.data.splits import OpenDataset, Split
from tfcil.errors import UserError, nearest


def restrict(dataset, classes) -> OpenDataset:
    """Returns a data set with some of the classes of another; labels follow their sorted names.

    `classes` and errors are those of `choose`.
    """
    names = choose(dataset.class_names, classes)
    kept = [dataset.class_names.index(name) for name in names]
    return OpenDataset(_restrict(dataset.train, kept), _restrict(dataset.test, kept), names)


def choose(known, classes) -> tuple[str, ...]:
    """Returns the sorted names of the classes that the setting `dataset.classes` selects.

    Args:
        known: names of all classes of the data set.
        classes: names, `"imagenet100_lucir"`, or `None`: all.

    Raises:
        UserError: a name is unknown or appears twice, or `known` are not the classes of ImageNet.
    """
    if classes is None:
        return tuple(known)
    names = imagenet100_lucir(known) if classes == "imagenet100_lucir" else sorted(classes)
    for name in names:
        if name not in known or names.count(name) > 1:
            raise UserError(
                f"dataset.classes: expected names of the data set's {len(known)} classes, each once"
                f"{'' if name in known else nearest(name, known)}. Received: class name={name!r}"
            )
    return tuple(names)


def imagenet100_lucir(wnids) -> list[str]:
    """Draws the 100 classes of ImageNet-Subset from names such as n01440764; returns them sorted.

    Raises:
        UserError: `wnids` are not the names of 1000 WordNet synsets.

    Reference:
        Hou et al., LUCIR (CVPR 2019): released code; the same classes in PyCIL and FOSTER.
    """
    if len(wnids) != 1000 or not all(re.fullmatch(r"n\d{8}", name) for name in wnids):
        raise UserError(
            "dataset.classes: imagenet100_lucir is drawn from the 1000 classes of ImageNet, by "
            f"names such as n01440764. Received: a data set of {len(wnids)} classes, the first "
            f"{wnids[0]!r}"
        )
    drawn = np.random.RandomState(1993).permutation(1000)[:100]
    return [sorted(wnids)[index] for index in sorted(drawn)]


def _restrict(split, kept) -> Split:
    new_label = np.full(max(split.labels.max(initial=0), *kept) + 1, -1)
    new_label[kept] = range(len(kept))
    labels = new_label[split.labels]
    inside = labels >= 0

    def items(chosen):
        mask = inside.copy()
        mask[inside] = chosen
        return split.items(mask)

    return replace(split, labels=labels[inside], items=items)
