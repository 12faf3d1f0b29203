"""The loss of one batch: the weighted sum of a method's terms, and what the curve shows of it."""

from keras import ops


def objective(terms, batch_size, labels, student, teacher):
    """Computes the loss of a batch, or of one device's share of it.

    Every mean runs over the whole batch, so the shares of several devices add up to the batch's
    loss: gradients are summed over devices, and a mean over each share would count twice.

    Args:
        terms: list of `tfcil.methods.Term`.
        batch_size: images of the whole batch, over all devices.
        labels: (share,) integer ranks of the classes.
        student: dictionary of the student's outputs.
        teacher: dictionary of the teacher's outputs, or `None`.

    Returns:
        The scalar loss, and a dictionary of scalars for the curve: `loss`, `accuracy` of the raw
        logits on the batch, and each term before its weight.
    """
    curve = {
        term.name: ops.sum(term.values(labels, student, teacher)) / batch_size for term in terms
    }
    loss = sum(term.weight * curve[term.name] for term in terms)
    hits = ops.equal(ops.cast(ops.argmax(student["logits"], axis=-1), "int32"), labels)
    accuracy = ops.sum(ops.cast(hits, "float32")) / batch_size
    return loss, {"loss": loss, "accuracy": accuracy, **curve}
