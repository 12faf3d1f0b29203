"""The loss of one batch: the weighted sum of a phase's terms, and what the curve shows of it."""

from keras import ops


def objective(terms, sizes, batch_size, batch):
    """Computes the loss of a batch, or of one device's share of it.

    Every mean runs over the whole batch, so the shares of several devices add up to the batch's
    loss: gradients are summed over devices, and a mean over each share would count twice.

    Args:
        terms: list of `Term`.
        sizes: (terms,) what the sum of each term's values is divided by.
        batch_size: images of the whole batch, over all devices.
        batch: the `Batch`.

    Returns:
        The scalar loss, and a dictionary of scalars for the curve: `loss`, `accuracy` of the raw
        logits on the batch, and each term before its weight.
    """
    curve = {
        term.name: ops.sum(term.values(batch)) / sizes[number] for number, term in enumerate(terms)
    }
    loss = sum(term.weight * curve[term.name] for term in terms)
    predicted = ops.cast(ops.argmax(batch.student["logits"], axis=-1), "int32")
    hits = ops.cast(ops.equal(predicted, batch.labels), "float32")
    return loss, {"loss": loss, "accuracy": ops.sum(hits) / batch_size, **curve}
