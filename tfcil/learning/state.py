"""Saves an `IncrementalClassifier` in a folder: a kill leaves the old state or the new one whole.

state.json      class names, task sizes, settings, and the number of the other files
model-3.keras   the classifier, for plain Keras
memory-3.npz    the exemplars
statistics-3.npz   what a closed-form method keeps of the classes

Each state has new files. Renaming the new state.json into place makes them the
current ones; the old files are removed after that.
"""

from pathlib import Path

from tfcil.classifier import num_classes, open_classifier, save_classifier
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json, read_npz, save_npz, write_json

FORMAT = 2
STATE = "state.json"
KEYS = {"format", "number", "classes", "tasks", "settings", "has_memory", "has_statistics"}


def has_state(folder) -> bool:
    """Tells whether a folder holds a classifier."""
    return (Path(folder) / STATE).exists()


def _files(folder, number):
    names = f"model-{number}.keras", f"memory-{number}.npz", f"statistics-{number}.npz"
    return [Path(folder) / name for name in names]


def write_state(folder, number, model, memory, statistics, **facts) -> None:
    """Writes a state, with a larger number than the one before, and removes that.

    Args:
        folder: of the classifier.
        number: of the state.
        model: the classifier.
        memory: an `ExemplarMemory` or `None`.
        statistics: dictionary of arrays, empty where the method keeps none.
        facts: classes, tasks and settings for JSON.
    """
    folder = Path(folder)
    files = model_file, memory_file, statistics_file = _files(folder, number)
    save_classifier(model, model_file)
    if memory is not None:
        memory.save(memory_file)
    if statistics:
        save_npz(statistics_file, **statistics)
    facts |= {"has_memory": memory is not None, "has_statistics": bool(statistics)}
    write_json(folder / STATE, facts | {"format": FORMAT, "number": number})
    for pattern in _files(folder, "*"):
        for old in folder.glob(pattern.name):
            if old not in files:
                old.unlink()


def read_state(folder):
    """Returns the model, the memory or `None`, the statistics, and the dictionary of state.json.

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
    model_file, memory_file, statistics_file = _files(folder, facts["number"])
    model = open_classifier(model_file)
    memory = ExemplarMemory.load(memory_file) if facts["has_memory"] else None
    statistics = read_npz(statistics_file) if facts["has_statistics"] else {}
    count = len(facts["classes"])
    fits = num_classes(model) == count == sum(facts["tasks"])
    if not fits or (memory is not None and memory.labels.max(initial=-1) >= count):
        raise UserError(
            "Expected a model and a memory of the classes that state.json names. "
            f"Received: {num_classes(model)} logits, {count} classes, folder={folder}"
        )
    return model, memory, statistics, facts
