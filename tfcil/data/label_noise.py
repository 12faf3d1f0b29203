"""Wrong labels among the training images of a task."""

import numpy as np

from tfcil.errors import UserError


def noisy_labels(labels, rate, seed, task_key) -> np.ndarray:
    """Computes the labels of a task, some of which name another class of the task.

    `round(rate n)` labels are wrong, drawn uniformly from all images of the task, and each of the
    task's other classes is as likely. A label of another task would tell of a class that has not
    arrived. One image of each class keeps its label, so that no class is without images: there are
    fewer wrong labels where the others do not suffice.

    Args:
        labels: int array (n,), the classes of the images.
        rate: float in [0, 1), the part of the labels that is wrong.
        seed: int in 0..2**32-1.
        task_key: of the task, for messages.

    Returns:
        int array (n,); equal arguments give equal labels.

    Raises:
        UserError: the task has one class only.

    Reference:
        Symmetric noise: van Rooyen et al., Learning with Symmetric Label Noise (arXiv 1505.07634).
    """
    classes, positions = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserError(
            "dataset.label_noise: expected two classes of each task at least, a wrong label names "
            f"another class of the same task. Received: one class in task {task_key}"
        )
    # The legacy stream, because it is frozen; the first class tells the tasks apart.
    random = np.random.RandomState([seed, classes[0]])
    order = random.permutation(len(labels))
    _, first_of_class = np.unique(positions[order], return_index=True)
    wrong = np.delete(order, first_of_class)[: round(rate * len(labels))]
    shifts = random.randint(1, len(classes), len(wrong))
    positions[wrong] = (positions[wrong] + shifts) % len(classes)
    return classes[positions]
