"""The highest logit: the model as it was trained."""

NEEDS_MEMORY = False


def saved_form(model):
    """Returns the model itself: the rule reads its logits."""
    return model
