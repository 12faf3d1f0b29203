"""The card of a model in Markdown: what it knows, how good it is, how to make and to open it."""

import yaml

from tfcil.config.params import load_params
from tfcil.errors import UserError
from tfcil.evaluation.figures import measure_of
from tfcil.files import read_json
from tfcil.release.model_files import experiment_of, read_evaluation
from tfcil.report.experiment import read_experiment
from tfcil.report.tables import class_rows

WORST = 10  # classes in the table of the least accurate ones
_DIGESTS = {"code", "backbone"}  # settings that tell a reader nothing


def model_card(model, date=False) -> str:
    """Returns the card of a model; equal experiments have equal cards.

    Args:
        model: path of the model, models/TASK.keras.
        date: whether the card says when the training began.

    Raises:
        UserError: a task up to the model's was not evaluated or trained here, or params.yaml has no
            such task.
    """
    layout, key = experiment_of(model)
    params = load_params(layout.params).model_dump()
    tasks = list(params["tasks"])
    if key not in tasks:
        raise UserError(f"Expected a model of a task of {layout.params}. Received: model={model}")
    read_evaluation(model)  # its error names the command
    known = {task: params["tasks"][task] for task in tasks[: tasks.index(key) + 1]}
    experiment = read_experiment(layout, params | {"tasks": known})
    rows = class_rows(experiment)
    log, shape = read_json(layout.log(key)), read_json(layout.image_format)["shape"]
    settings = {
        "model": params["model"],
        "memory": params["memory"],
        **read_json(layout.recipe(key)),
    }
    parts = [
        _head(experiment, rows, shape, log, date),
        _figures(experiment.results, rows),
        _worst(rows, experiment.results.split),
        _classes(experiment.results.tasks, rows),
        _made(key, settings, log),
        _opened(key, shape),
    ]
    return "\n\n".join(parts) + "\n"


def _head(experiment, rows, shape, log, date) -> str:
    params, results = experiment.params, experiment.results
    height, width, channels = shape
    facts = {
        "classes": len(rows),
        "tasks in which they arrived": len(results.tasks),
        "images": f"{height} x {width} pixels, {'grey' if channels == 1 else 'colour'}",
        "data set": params["dataset"]["name"],
        "method and loss": f"{params['method']['name']}, {params['method']['loss']}",
    }
    if sizes := results.class_sizes:
        facts["training images"] = f"{sum(sizes)}; of a class {min(sizes)} to {max(sizes)}"
    facts[f"{results.split} images"] = results.num_images
    if experiment.kept is not None:
        facts["old images kept for later tasks"] = len(experiment.kept)
    if date:
        facts["training of the last task began"] = log["began"]
    lines = [f"* {name}: {value}" for name, value in facts.items()]
    return f"# Model of task {results.tasks[-1]}\n\n" + "\n".join(lines)


def _figures(results, rows) -> str:
    accuracies = results.primary.accuracies()[-1]
    table = [
        [
            task,
            sum(row["task"] == task for row in rows),
            sum(row["images"] for row in rows if row["task"] == task),
            _percent(accuracy),
        ]
        for task, accuracy in zip(results.tasks, accuracies, strict=True)
    ]
    total = ["all", len(rows), results.num_images, _percent(results.primary.last_accuracy())]
    measures = [
        f"{measure_of(name).title}: {values[-1]:.3f}"
        for name, values in results.measures.items()
        if values[-1] is not None
    ]
    columns = ["task", "classes", f"{results.split} images", "accuracy"]
    return "\n\n".join(["## Figures", _table(columns, [*table, total]), *measures])


def _worst(rows, split) -> str:
    judged = sorted((row for row in rows if row["images"]), key=lambda row: row["accuracy"])
    table = [
        [row["name"], row["task"], row["images"], _percent(row["accuracy"]), row["taken"] or "-"]
        for row in judged[:WORST]
    ]
    columns = ["class", "task", f"{split} images", "accuracy", "most often taken for"]
    return "\n\n".join(["## Least accurate classes", _table(columns, table)])


def _classes(tasks, rows) -> str:
    lines = [
        f"* {task}: {', '.join(_cell(row['name']) for row in rows if row['task'] == task)}"
        for task in tasks
    ]
    return "## Classes by task\n\n" + "\n".join(lines)


def _made(key, settings, log) -> str:
    kept = {name: value for name, value in settings.items() if name not in _DIGESTS}
    text = yaml.safe_dump(kept, sort_keys=False, default_flow_style=None, width=99)
    versions = ", ".join(f"{name} {version}" for name, version in log["versions"].items())
    return (
        f"## How it was made\n\nSettings of task {key}:\n\n```yaml\n{text}```\n\n"
        f"Versions: {versions}."
    )


def _opened(key, shape) -> str:
    return f"""## How to open it

```python
import json, keras, pathlib

model = keras.models.load_model("models/{key}.keras")  # takes (n, {", ".join(map(str, shape))})
names = json.loads(pathlib.Path("models/{key}.json").read_bytes())["classes"]
names[model.predict(images).argmax(axis=1)[0]]  # images: raw pixels, 0 to 255
```

It returns logits; their softmax is the probabilities. It takes an image of any other class for one
of its own."""


def _table(columns, rows) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def _percent(share) -> str:
    return f"{100 * share:.1f}%"
