"""The state of an unfinished training, after each epoch: a run that was killed goes on from it."""

import json
import sys
from pathlib import Path

import numpy as np

from tfcil.errors import UserError
from tfcil.files import load_npz, save_npz


class Checkpoint:
    """One file with the state of every phase of a task after its last finished epoch.

    Batches, augmentation and rates are pure functions of the step, so the variables and the number
    of epochs are all there is to keep.

    Args:
        path: the npz file.
        digest: of all that decides the training; a file of another one is passed over.
    """

    def __init__(self, path, digest):
        self._path, self._digest = Path(path), digest
        self._phases = self._load()

    def restore(self, phase, variables) -> list[dict]:
        """Sets variables to their values after the last finished epoch of a phase.

        Args:
            phase: its name, unique within the task.
            variables: list of Keras variables, as given to `save`.

        Returns:
            The curve so far: a dictionary per finished epoch, none where nothing is finished.
        """
        if phase not in self._phases:
            return []
        curve, values = self._phases[phase]
        if [value.shape for value in values] != [tuple(one.shape) for one in variables]:
            self._tell("it belongs to another network")
            self._phases = {}
            return []
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return list(curve)

    def save(self, phase, variables, curve) -> None:
        """Writes the state after an epoch; the file before it stays until this one is whole.

        Args:
            phase: its name, unique within the task.
            variables: list of Keras variables.
            curve: a dictionary per epoch of the phase.
        """
        values = [variable.numpy() for variable in variables]
        self._phases[phase] = (list(curve), values)
        state = {
            "digest": self._digest,
            "curves": {name: rows for name, (rows, _) in self._phases.items()},
        }
        arrays = {
            f"{name}/{index:05}": value
            for name, (_, kept) in self._phases.items()
            for index, value in enumerate(kept)
        }
        save_npz(self._path, state=np.array(json.dumps(state)), **arrays)

    def _load(self):
        if not self._path.exists():
            return {}
        try:
            (text,) = load_npz(self._path, "state")
            state = json.loads(str(text))
            if state["digest"] != self._digest:
                return {}
            return {name: (rows, self._values(name)) for name, rows in state["curves"].items()}
        except (UserError, ValueError, KeyError, TypeError):
            self._tell("it is damaged")
            return {}

    def _values(self, phase):
        with np.load(self._path, allow_pickle=False) as stored:
            names = sorted(name for name in stored.files if name.rpartition("/")[0] == phase)
        return load_npz(self._path, *names)

    def _tell(self, reason):
        print(f"checkpoint passed over: {reason} ({self._path})", file=sys.stderr)
