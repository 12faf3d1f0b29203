"""finetune: the classification loss on the new images alone, which forgets the old classes."""

from tfcil.components.facts import MethodFacts

FACTS = MethodFacts(memory=False)


def learn(task, train, options):
    """Trains the grown network on the classification loss."""
    return train(task, task.phase([task.classification()]))
