"""A classifier that learns, in a folder: at any moment the state before or the state after.

state.json      class names, task sizes, settings, and the names of the other two
model-3.keras   the classifier, for plain Keras
memory-3.npz    the exemplars

Each state has new files for model and memory; writing state.json, in one move, is what makes them
the current ones, and only then those of the state before are removed.
"""

from pathlib import Path

from tfcil.classifier import num_classes, open_classifier, save_classifier
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json, write_json

FORMAT = 1
STATE = "state.json"
KEYS = {"format", "number", "classes", "tasks", "settings", "has_memory"}


def has_state(folder) -> bool:
    """Whether a classifier is kept in this folder."""
    return (Path(folder) / STATE).exists()


def _files(folder, number):
    return Path(folder) / f"model-{number}.keras", Path(folder) / f"memory-{number}.npz"


def write_state(folder, number, model, memory, **facts) -> None:
    """Writes a state and removes the one before.

    Args:
        folder: is made where it is missing.
        number: of the state, larger than those before.
        model: the classifier.
        memory: the `ExemplarMemory`, or `None`.
        facts: classes, tasks and settings, for JSON.
    """
    folder = Path(folder)
    model_file, memory_file = _files(folder, number)
    save_classifier(model, model_file)
    if memory is not None:
        memory.save(memory_file)
    facts |= {"format": FORMAT, "number": number, "has_memory": memory is not None}
    write_json(folder / STATE, facts)
    for old in (*folder.glob("model-*.keras"), *folder.glob("memory-*.npz")):
        if old not in (model_file, memory_file):
            old.unlink()


def read_state(folder):
    """Reads what `write_state` wrote.

    Returns:
        The model, the memory or `None`, and the dictionary of the rest, `number` included.

    Raises:
        UserError: where the folder is missing, damaged, or holds something else.
    """
    folder = Path(folder)
    if not has_state(folder):
        raise UserError(
            f"Expected the folder of an IncrementalClassifier, with a {STATE}. "
            f"Received: folder={folder}"
        )
    facts = read_json(folder / STATE)
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != FORMAT or set(facts) != KEYS:
        raise UserError(
            f"Expected a {STATE} of format {FORMAT}, written by this version of tfcil. "
            f"Received: format={found}, folder={folder}"
        )
    model_file, memory_file = _files(folder, facts["number"])
    model = open_classifier(model_file)
    memory = ExemplarMemory.load(memory_file) if facts["has_memory"] else None
    count = len(facts["classes"])
    fits = num_classes(model) == count == sum(facts["tasks"])
    if not fits or (memory is not None and len(memory) and memory.labels.max() >= count):
        raise UserError(
            "Expected a model and a memory of the classes that state.json names. "
            f"Received: {num_classes(model)} logits, {count} classes, folder={folder}"
        )
    return model, memory, facts
