"""Opens an experiment of a folder, or of a Git revision with DVC."""

import shutil
from pathlib import Path

from tfcil.config.yaml_file import read_yaml
from tfcil.errors import UserError
from tfcil.report.experiment import Experiment, read_experiment

HERE = (".", "workspace")


def open_revision(name: str, scratch: Path, layout_of) -> Experiment:
    """Reads an experiment.

    Args:
        name: `.` or `workspace`: the current folder; another folder with a params.yaml; or a Git
            revision, tag, branch or DVC experiment of the repository in the current folder.
        scratch: an empty folder for copies of the files of a revision.
        layout_of: function from a folder to its `Layout`.

    Raises:
        UserError: there is no such revision, or it has no results.
    """
    folder = Path() if name in HERE else Path(name)
    if (folder / "params.yaml").is_file():
        return _read(layout_of(folder), name)
    if name in HERE:
        raise UserError(f"Expected a params.yaml in the current folder. Received: revision={name}")
    _fetch(name, layout_of(Path()), layout_of(scratch))
    return _read(layout_of(scratch), name)


def _read(layout, name) -> Experiment:
    params = _with_tasks(read_yaml(layout.params), name)
    missing = [key for key in params["tasks"] if not layout.evaluation(key).exists()]
    if missing:
        raise UserError(
            f"{name} has no results of task {missing[0]} here: run the experiment (dvc repro or "
            f"tfcil run), or get them with dvc pull. Received: revision={name}"
        )
    return read_experiment(layout, params)


def _with_tasks(params, name) -> dict:
    if not isinstance(params.get("tasks"), dict) or not params["tasks"]:
        raise UserError(f"Expected a params.yaml with tasks. Received: revision={name}")
    return params


def _fetch(name, source, target) -> None:
    """Copies from Git or DVC's cache the files that a comparison reads."""
    files = _file_system(name)
    if not files.exists(str(source.params)):
        raise UserError(f"{name} has no params.yaml, so no experiment. Received: revision={name}")
    _copy(files, source.params, target.params, name)
    keys = [str(key) for key in _with_tasks(read_yaml(target.params), name)["tasks"]]
    wanted = (
        [*map(layout.evaluation, keys), *map(layout.log, keys), layout.class_names(keys[-1])]
        for layout in (source, target)
    )
    for path, copy in zip(*wanted, strict=True):
        if files.exists(str(path)):
            _copy(files, path, copy, name)


def _file_system(name):
    try:
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException
        from dvc.scm import NoSCM, SCMError
    except ImportError:
        raise UserError(
            "Comparing revisions needs DVC: pip install 'tfcil[dvc]'. Received: no module named dvc"
        ) from None
    try:
        files = DVCFileSystem(rev=name)
        in_git = not isinstance(files.repo.scm, NoSCM)
    except SCMError:
        raise UserError(
            "Expected a Git revision, a tag, a branch, a DVC experiment, or a folder with a "
            f"params.yaml. Received: revision={name}"
        ) from None
    except DvcException as error:
        raise UserError(f"Expected a DVC repository ({error}). Received: revision={name}") from None
    if not in_git:
        raise UserError(f"Expected a Git repository here. Received: revision={name}")
    return files


def _copy(files, path, copy, name) -> None:
    from dvc.exceptions import DvcException

    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.open(str(path), "rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
    except (OSError, DvcException):
        raise UserError(
            f"{path} of {name} is neither in DVC's cache nor in its remote: run that experiment "
            f"again. Received: revision={name}"
        ) from None
