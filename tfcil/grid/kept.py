"""The records of a grid in one file next to its page: a clone goes on where others stopped."""

from pathlib import Path

from tfcil.files import read_json, write_json
from tfcil.grid.plan import record_of, settings_digest
from tfcil.stages.layout import Layout


def restore(grid, runs) -> None:
    """Gives the unfinished runs with the same settings as in the file the records kept there."""
    kept = _read(grid)["runs"]
    for run in runs:
        record = kept.get(settings_digest(run.text))
        if record and not run.finished:
            write_record(run, record["record"])


def write_record(run, record) -> None:
    """Writes the record of a run into its folder."""
    run.folder.mkdir(parents=True, exist_ok=True)
    # That of other settings must never lie beside these.
    record_of(run.folder).unlink(missing_ok=True)
    Layout(run.folder).params.write_text(run.text, encoding="utf-8")
    write_json(record_of(run.folder), record)


def records_of_bases(grid, runs, folder) -> dict[str, dict]:
    """Reads the records of the first tasks that finished runs name, from `folder` or the file."""
    found = dict(_read(grid)["bases"])
    # By the name in the record: `base_of` may give another one by now.
    names = sorted({run.record()["base"] for run in runs if run.finished})
    for name in names:
        if record_of(folder / name).exists():
            found[name] = read_json(record_of(folder / name))
    return {name: found[name] for name in names if name in found}


def keep(grid, runs, bases) -> None:
    """Writes the records of all finished runs, and those of the first tasks by their names.

    Records of other runs of the grid, which the file has already, stay.
    """
    before, planned = _read(grid), {settings_digest(run.text) for run in runs}
    records = {key: record for key, record in before["runs"].items() if key in planned}
    for run in runs:
        if run.finished:
            about = {"variant": run.variant, "seed": run.seed, "record": run.record()}
            records[settings_digest(run.text)] = about
    write_json(_file_of(grid), {"runs": records, "bases": before["bases"] | bases})


def _file_of(grid):
    return Path(f"{grid.output}.json")


def _read(grid):
    file = _file_of(grid)
    return read_json(file) if file.exists() else {"runs": {}, "bases": {}}
