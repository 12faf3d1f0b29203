"""Where each file of an experiment lies. Nothing else spells a path."""

from dataclasses import dataclass
from pathlib import Path

START = "start"


@dataclass(frozen=True)
class Layout:
    """The files of the experiment in the folder `root`."""

    root: Path = Path()

    @classmethod
    def of(cls, root) -> "Layout":
        """The layout of the experiment in `root`, a folder given in any form."""
        return cls(Path(root))

    @property
    def params(self) -> Path:
        """Every setting, written by a person."""
        return self.root / "params.yaml"

    @property
    def image_format(self) -> Path:
        """Shape of the images, and mean and deviation of the first task's."""
        return self.root / "data" / "format.json"

    def train_images(self, key: str) -> Path:
        """Folder of a task's images to learn from."""
        return self.root / "data" / "train" / key

    def test_images(self, key: str) -> Path:
        """Folder of a task's images to evaluate on."""
        return self.root / "data" / "test" / key

    def seen(self, key: str) -> Path:
        """Digests of the test images of all tasks up to this one."""
        return self.root / "data" / "seen" / f"{key}.json"

    @property
    def skipped(self) -> Path:
        """Images that were left out because they cannot be used."""
        return self.root / "data" / "skipped.csv"

    def recipe(self, key: str) -> Path:
        """Every setting that decides how a task is trained."""
        return self.root / "recipes" / f"{key}.json"

    def model(self, key: str) -> Path:
        """The classifier after a task; before any: `start`."""
        return self.root / "models" / f"{key}.keras"

    def class_names(self, key: str) -> Path:
        """Names of the classes of a model's logits."""
        return self.root / "models" / f"{key}.json"

    def features(self, key: str) -> Path:
        """Features of a task's images under its finished model."""
        return self.root / "features" / f"{key}.npz"

    def checkpoint(self, key: str) -> Path:
        """The last finished epoch of a training that was killed."""
        return self.root / "checkpoints" / f"{key}.npz"

    def curve(self, key: str) -> Path:
        """Loss and accuracy after each epoch of a task."""
        return self.root / "curves" / f"{key}.csv"

    def log(self, key: str) -> Path:
        """What training a task took, and with what it was done."""
        return self.root / "logs" / f"{key}.json"

    def tensorboard(self, setting: str | None, key: str) -> Path | None:
        """Folder of a task's scalars, in the one of the setting `tensorboard`."""
        return None if setting is None else self.root / setting / key

    def memory(self, key: str) -> Path:
        """The exemplars kept after a task."""
        return self.root / "memory" / f"{key}.npz"

    def evaluation(self, key: str) -> Path:
        """Predictions counted after a task."""
        return self.root / "evaluation" / f"{key}.json"

    @property
    def metrics(self) -> Path:
        """The figures of the whole experiment."""
        return self.root / "metrics.json"

    @property
    def report(self) -> Path:
        """Folder of the page, and of the tables and the picture behind it."""
        return self.root / "report"
