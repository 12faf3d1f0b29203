"""The paths of an experiment's files: no other module spells one."""

from dataclasses import dataclass
from pathlib import Path

START = "start"


def _path(name):
    return property(lambda self: self.root / name)


def _per_task(folder, suffix=""):
    return lambda self, key: self.root / folder / f"{key}{suffix}"


@dataclass(frozen=True)
class Layout:
    """The paths of the experiment in the folder `root`; a path per task is a method of its key."""

    root: Path = Path()

    params = _path("params.yaml")  # all settings, written by a person
    image_format = _path("data/format.json")  # shape of all images, mean and std of the first task
    skipped = _path("data/skipped.csv")  # the images left out as unusable
    train_images = _per_task("data/train")  # a folder
    test_images = _per_task("data/test")  # a folder
    seen = _per_task("data/seen", ".json")  # test images and class sizes so far
    asked_measures = _path("recipes/asked.measures.json")  # `measures`; no task has a dot
    recipe = _per_task("recipes", ".json")  # every setting that decides how the task is trained
    model = _per_task("models", ".keras")  # the classifier after the task, or after START
    class_names = _per_task("models", ".json")  # in the order of the model's logits
    features = _per_task("features", ".npz")  # of the task's images, from its trained model
    checkpoint = _per_task("checkpoints", ".npz")  # state of a training that is not finished
    curve = _per_task("curves", ".csv")  # loss and accuracy after each epoch
    log = _per_task("logs", ".json")  # time, memory, versions and hardware of the training
    unfinished_log = _per_task("logs", ".part.json")  # the seconds up to the last epoch
    memory = _per_task("memory", ".npz")  # the exemplars kept after the task, or after START
    statistics = _per_task("statistics", ".npz")  # kept of the classes beside images
    evaluation = _per_task("evaluation", ".json")  # counts of predictions, and measures
    metrics = _path("metrics.json")  # figures of the whole experiment
    cache = _path("cache")  # features of frozen networks; may be deleted
    report = _path("report")  # folder of the page, its tables and its picture

    @property
    def folders(self) -> list[Path]:
        """The folders whose contents stages write, and may remove."""
        per_task = (
            *(self.train_images, self.test_images, self.seen, self.recipe, self.model),
            *(self.features, self.checkpoint, self.curve, self.log, self.memory),
            *(self.statistics, self.evaluation),
        )
        return [*(path(START).parent for path in per_task), self.cache, self.report]

    @classmethod
    def of(cls, root) -> "Layout":
        """Returns the layout of the folder `root`, a string or a path."""
        return cls(Path(root))

    def tensorboard(self, setting: str | None, key: str) -> Path | None:
        """Returns the folder of a task's scalars; `setting` is `tensorboard` in params.yaml."""
        return None if setting is None else self.root / setting / key
