"""What methods on a frozen network share: only the first task may adapt it, before its classes.

The features of an image stay what they were, so that statistics of old classes hold for ever.
"""

from pydantic import Field

from tfcil import classifier
from tfcil.components import facts
from tfcil.errors import UserError


class Options(facts.Options):
    """Options of every method on a frozen network."""

    adapt: bool = Field(
        False, description="first train the network on the first task, as `base` says"
    )


def frozen_teacher(task, train, options):
    """Returns the teacher with its network frozen; with `adapt`, a first task trains it before.

    Args:
        task: the `Task`.
        train: the `Trainer`.
        options: `Options`.
    """
    adapts = options.adapt and not task.num_old
    model = train(task, task.phase([task.classification()])) if adapts else task.teacher
    return classifier.frozen(model)


def check_kept(task, known, name) -> None:
    """Refuses a task whose old classes have not all left their statistics.

    Args:
        task: the `Task`.
        known: number of classes that have.
        name: what methods of this kind are called in the message.
    """
    if known != task.num_old:
        raise UserError(
            f"{name} needs the statistics that it kept of the {task.num_old} classes before: learn "
            f"every task with the same method and options. Received: those of {known} classes"
        )
