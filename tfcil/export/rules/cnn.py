"""The highest logit: the model as it was trained."""

NEEDS_MEMORY = False


def saved_form(model):
    """Returns the model: its logits are what the rule reads.

    Args:
        model: a classifier.
    """
    return model
