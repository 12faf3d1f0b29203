"""Reads a grid file: variants of one params.yaml, each run with every seed."""

import copy
import functools
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, StrictInt, field_validator, model_validator

from tfcil.components.code import code_digest
from tfcil.components.sections import Positive, PositiveInt, Section
from tfcil.config.params import Params
from tfcil.config.yaml_file import read_yaml
from tfcil.errors import UserError
from tfcil.evaluation.registry import all_measures, all_rules
from tfcil.files import read_json
from tfcil.stages.layout import Layout
from tfcil.stages.recipes import settings_of
from tfcil.stages.run import ONCE, PER_TASK

# They decide the prepared data; with the first of the tasks and its settings, the first training.
SECTIONS_OF_DATA = ("validation", "dataset", "scenario", "tasks")
SECTIONS_OF_BASE = ("seed", "validation", "dataset", "scenario", "model")


class Resources(Section):
    """What each process of a grid takes."""

    threads: PositiveInt = Field(1, description="of a processor")
    gpus: Positive | None = Field(
        None, description="on a Ray cluster; null: one where the cluster has any"
    )

    @field_validator("gpus")
    @classmethod
    def _gpus_are_a_part_of_one_or_whole(cls, gpus):
        if gpus and gpus > 1 and gpus != int(gpus):
            raise ValueError(f"expected a part of one, or a whole number. Received: {gpus=!s}")
        return gpus


class Grid(Section):
    """A grid file."""

    params: str = Field(description="the params.yaml that is varied, relative to this file")
    title: str = Field(description="of the page")
    seeds: Annotated[list[Annotated[StrictInt, Field(ge=0)]], Field(min_length=1)] = Field(
        description="each variant is run with each of them"
    )
    orders: list[Any] = Field(
        [], description="class order of each seed, as `scenario.order`; empty: that of params"
    )
    output: str = Field(description="the page without its suffix, relative to the current folder")
    resources: Resources = Field(Resources(), description="of each run")
    runs: Annotated[dict[str, dict[str, Any]], Field(min_length=1)] = Field(
        description="name of a variant: what it changes, `section.key: value`"
    )
    notes: str = Field("", description="Markdown that ends the page")
    published: str = Field("", description="Markdown with published figures, in its own section")

    @field_validator("seeds")
    @classmethod
    def _seeds_are_distinct(cls, seeds):
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"expected each seed once. Received: seeds={seeds}")
        return seeds

    @field_validator("runs")
    @classmethod
    def _runs_have_their_own_folders(cls, runs):
        folders = {}
        for name, changes in runs.items():
            first = folders.setdefault(_folder_name(name), name)
            if first != name or not _folder_name(name):
                raise ValueError(
                    "expected names that differ in letters or digits. "
                    f"Received: {first!r} and {name!r}"
                )
            if "seed" in changes:
                raise ValueError(f"expected the seed among `seeds`. Received: {name}.seed")
        return runs

    @model_validator(mode="after")
    def _each_seed_has_an_order(self):
        if self.orders and len(self.orders) != len(self.seeds):
            raise ValueError(
                f"expected an order for each of the {len(self.seeds)} seeds. "
                f"Received: orders={self.orders}"
            )
        return self

    def changes(self, variant: str, seed: int) -> dict[str, Any]:
        """Returns what a run changes in params.yaml, by keys such as `method.loss`."""
        orders = dict(zip(self.seeds, self.orders, strict=False))
        order = {"scenario.order": orders[seed]} if orders else {}
        return order | self.runs[variant] | {"seed": seed}


@dataclass(frozen=True, eq=False)
class Run:
    """One variant with one seed.

    `text` is its params.yaml; `params` are the same settings, checked. Where they are wrong,
    `params` is None and `refused` says why.
    """

    variant: str
    seed: int
    folder: Path
    text: str
    params: Params | None
    refused: str = ""

    def record(self) -> dict | None:
        """Returns the result of the run, None if it has not ended with these settings."""
        if self.refused:
            return {"failed": self.refused}
        settings, record = Layout(self.folder).params, record_of(self.folder)
        if not (record.exists() and settings.exists()):
            return None
        same = settings_digest(settings.read_text(encoding="utf-8")) == settings_digest(self.text)
        return read_json(record) if same else None

    @property
    def finished(self) -> bool:
        """Whether the run has ended without a failure."""
        record = self.record()
        return record is not None and "failed" not in record


@functools.cache
def settings_digest(text: str) -> str:
    """Computes the digest of the settings in the text of a params.yaml.

    Settings that are as by default are left out: a new one makes no finished run another.
    """
    try:
        params = Params.of(yaml.safe_load(text), source="params.yaml")
    except (UserError, yaml.YAMLError):
        return hashlib.sha256(text.encode()).hexdigest()[:16]
    chosen = params.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def record_of(folder) -> Path:
    """Returns the file with the result of a run; it exists when the run has ended."""
    return Path(folder) / "record.json"


def load_grid(file) -> Grid:
    """Reads a grid file; raises a `UserError` of one line where it is wrong."""
    return Grid.of(read_yaml(file), source=str(file))


def plan_runs(grid: Grid, file, folder) -> list[Run]:
    """Lists the runs of a grid file: all variants with the first seed, then with the next.

    Each run has its own folder in `folder`. A variant with wrong settings is a refused run.

    Raises:
        UserError: where the params.yaml of the grid can't be read.
    """
    source = Path(file).parent / grid.params
    return [
        _plan_run(name, seed, read_yaml(source), grid.changes(name, seed), Path(folder))
        for seed in grid.seeds
        for name in grid.runs
    ]


def _plan_run(name, seed, values, changes, folder) -> Run:
    params, refused = None, ""
    try:
        for path, value in changes.items():
            _change(values, path, value)
        params = Params.of(values, source="params.yaml")
    except UserError as error:
        refused = str(error)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return Run(name, seed, folder / _folder_name(name) / f"seed{seed}", text, params, refused)


def _change(values, path, value) -> None:
    """Sets a key such as `method.loss`, in sections that may be missing or empty."""
    *sections, key = path.split(".")
    section = values
    for one in sections:
        if section.get(one) is None:
            section[one] = {}
        section = section[one]
        if not isinstance(section, dict):
            raise UserError(f"{path}: expected a section {one}. Received: {one}={section!r}")
    # What an anchor of YAML names is one object in all variants.
    section[key] = copy.deepcopy(value)


def _folder_name(variant: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", variant.lower()).strip("-")


def data_of(params: Params) -> str:
    """Computes the digest of everything that decides the prepared data, which variants share."""
    return _digest(params, SECTIONS_OF_DATA, code_digest("tfcil.stages.prepare"))


def base_of(params: Params) -> str:
    """Computes the digest of everything that decides the first task, which variants share."""
    key, task = next(iter(params.tasks.items()))
    first = key + task.model_dump_json() + settings_of(params, key).model_dump_json()
    return _digest(params, SECTIONS_OF_BASE, first)


def _digest(params, sections, others) -> str:
    values = params.model_dump(mode="json", include=set(sections))
    decides = json.dumps(values, sort_keys=True) + others
    return hashlib.sha256(decides.encode()).hexdigest()[:16]


def code_of(run: Run) -> str:
    """Computes the digest of the code that decides the figures of a run."""
    components = [one.module.__name__ for one in run.params.choice().components]
    evaluated = [f"tfcil.evaluation.rules.{name}" for name in all_rules()]
    evaluated += [f"tfcil.evaluation.measures.{name}" for name in all_measures()]
    stages = [f"tfcil.stages.{name}" for name in (*ONCE, *PER_TASK)]
    return code_digest(*stages, *components, *evaluated, "tfcil.report.results")[:16]


def code_of_base(run: Run) -> str:
    """Computes the digest of the code that decides the first task of a run."""
    first = settings_of(run.params, next(iter(run.params.tasks)))
    stages = [f"tfcil.stages.{name}" for name in (*ONCE, "train")]
    return code_digest(*stages, *first.modules)[:16]


def of_other_code(runs, bases) -> bool:
    """Tells whether the code has changed since any of the runs was finished.

    `bases` has the records of the first tasks that they share.
    """
    finished = [run for run in runs if run.finished]
    # Also of unfinished runs: their first task may have been trained already.
    codes_of_bases = {code_of_base(run) for run in runs if run.params}
    return any(run.record()["code"] != code_of(run) for run in finished) or any(
        base["code"] not in codes_of_bases for base in bases
    )
