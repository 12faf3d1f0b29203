"""The one exception that stands for a mistake of the person who runs tfcil."""


class UserError(ValueError):
    """Says in one line what was expected and what was received.

    The command line prints it without a traceback; library callers may catch it as `ValueError`.
    """
