"""Writes the page of a grid: Markdown with the runs, the hardware, the time and the results."""

import statistics
from collections import defaultdict
from pathlib import Path

from tfcil.evaluation.figures import is_known, measure_of
from tfcil.evaluation.registry import all_rules, heading, primary
from tfcil.evaluation.shots import FIGURES
from tfcil.files import write_atomically
from tfcil.grid.figure import draw_variants
from tfcil.grid.plan import of_other_code
from tfcil.grid.results import collect, loss_pairs

AIA, LAST = "average_incremental_accuracy", "last_accuracy"
# Columns of the primary rule; of the other rules only the first two.
ACCURACIES = {
    "AIA": AIA,
    "last": LAST,
    "forgetting": "forgetting",
    "old": "old_accuracy",
    "new": "new_accuracy",
}
CPU_SECONDS, PASSES = "train_seconds.cpu", "sample_passes"

LEGEND = """\
Accuracies{measures} in percent, mean ± sample standard deviation over the seeds. AIA: average
incremental accuracy; last: accuracy after the last task, on all, `old` and `new` classes{rules}.
CPU seconds and sample passes (images that went through training) are those of all tasks but the
first, whose training the variants share, unless there is no other.
`TF_NUM_INTRAOP_THREADS={threads} tfcil run` (on JAX `NPROC={threads}`) writes the same bytes as a
run of the grid with as many threads; others add numbers up in another order."""

CORRECTION = """\
bsce divided by ce (or nca), where nothing else differs: a method with a correction drops it with
bsce. AIA: bsce minus ce (or nca), in points."""


def write_page(grid, runs, command: str, bases) -> None:
    """Writes the page of a `Grid`, OUTPUT.md, and its figure, OUTPUT.png.

    `runs` has each `Run`, finished or not; `bases` the records of the first tasks that variants
    share; `command` is the command line that writes the page.
    """
    variants = collect(runs)
    page, picture = (Path(f"{grid.output}.{suffix}") for suffix in ("md", "png"))
    parts = [f"# {grid.title}", f"```sh\n{command}\n```"]
    if variants:
        with write_atomically(picture) as aside:
            draw_variants(aside, variants)
        parts += [_measured(variants, runs, bases), f"![{grid.title}]({picture.name})"]
        parts += [_table(variants, len(grid.seeds)), _legend(variants)]
        parts += _correction_table(variants)
    parts += _unfinished(runs)
    if grid.published:
        parts += ["## Published figures", grid.published.strip()]
    if grid.notes:
        parts += ["## Notes", grid.notes.strip()]
    with write_atomically(page) as aside:
        aside.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _measured(variants, runs, bases) -> str:
    """Describes hardware and time; warns of runs of other code."""
    records = _records(variants)
    workers = sorted({record["workers"] for record in records})
    threads = _listed(_threads(variants))
    # As if one call had made all runs.
    minutes = sum(record["seconds"] for record in [*records, *bases]) / max(workers) / 60
    text = (
        f"{len(records)} runs and {len(bases)} shared first tasks took {minutes:.1f} minutes with "
        f"{_counted(_listed(workers), 'worker')} of {_counted(threads, 'thread')} each, on\n"
        + "; ".join(sorted({record["machine"] for record in records}))
        + "."
    )
    if of_other_code(runs, bases):
        text += "\n\n**Some runs were made by another version of the code.**"
    return text


def _figures(variants) -> dict[str, str]:
    """Returns title and figure of each column in percent that any variant has values for."""
    figures = {title: f"metrics.{name}" for title, name in ACCURACIES.items()}
    for rule in all_rules():
        if rule != primary():
            figures |= {
                f"{heading(rule)} AIA": f"metrics.{rule}.{AIA}",
                f"{heading(rule)} last": f"metrics.{rule}.{LAST}",
            }
    figures |= {
        measure_of(name).title: f"metrics.measures.{name}" for name in _measure_figures(variants)
    }
    figures |= {title: f"metrics.shots.{name}" for name, title in FIGURES.items()}
    shown = {figure for figure in figures.values() if any(one.values(figure) for one in variants)}
    return {title: figure for title, figure in figures.items() if figure in shown}


def _legend(variants) -> str:
    """Explains the columns of the table."""
    shown = _figures(variants)
    named = [
        f"; {heading(name)}: {rule.title}"
        for name, rule in all_rules().items()
        if f"{heading(name)} AIA" in shown
    ]
    measured = any(measure_of(name).title in shown for name in _measure_figures(variants))
    measures = " and measures" if measured else ""
    return LEGEND.format(measures=measures, rules="".join(named), threads=_threads(variants)[0])


def _records(variants) -> list[dict]:
    return [record for variant in variants for record in variant.records.values()]


def _threads(variants) -> list[int]:
    """Returns how many threads runs had; records did not always say that it was one."""
    return sorted({record.get("threads", 1) for record in _records(variants)})


def _measure_figures(variants) -> list[str]:
    """Returns the names of the figures of measures that any run has."""
    metrics = [record["metrics"] for record in _records(variants)]
    found = dict.fromkeys(name for one in metrics for name in one.get("measures", {}))
    return [name for name in found if is_known(name)]


def _table(variants, num_seeds) -> str:
    figures = _figures(variants)
    rows = [["variant", *figures, "CPU seconds", "sample passes"]]
    for variant in variants:
        num_runs = len(variant.records)
        partly = "" if num_runs == num_seeds else f" ({num_runs} of {num_seeds} seeds)"
        rows.append(
            [
                variant.name + partly,
                *(_spread(variant.values(figure), 100) for figure in figures.values()),
                _spread(variant.values(CPU_SECONDS)),
                f"{variant.mean(PASSES):,.0f}",
            ]
        )
    return _markdown(rows)


def _correction_table(variants) -> list[str]:
    rows = [["ce or nca", "bsce", "sample passes", "CPU seconds", "AIA"]]
    for other, bsce in loss_pairs(variants):
        ratios = (bsce.mean(figure) / other.mean(figure) for figure in (PASSES, CPU_SECONDS))
        gain = 100 * (bsce.mean(f"metrics.{AIA}") - other.mean(f"metrics.{AIA}"))
        rows.append([other.name, bsce.name, *(f"{ratio:.2f}" for ratio in ratios), f"{gain:+.1f}"])
    return ["## Correction dropped", CORRECTION, _markdown(rows)] if len(rows) > 1 else []


def _unfinished(runs) -> list[str]:
    failed, missing = defaultdict(list), defaultdict(list)
    for run in runs:
        record = run.record()
        if record is None:
            missing[run.variant].append(run.seed)
        elif "failed" in record:
            line = record["failed"].replace("`", "'")
            failed[f"{run.variant}: `{line}`"].append(run.seed)
    parts = []
    for title, seeds_of in (("## Failed runs", failed), ("## Not run yet", missing)):
        rows = [f"* seed {_listed(seeds)}, {name}" for name, seeds in seeds_of.items()]
        parts += [title, "\n".join(rows)] if rows else []
    return parts


def _counted(number, noun) -> str:
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def _listed(values) -> str:
    return " and ".join(map(str, values))


def _spread(values, factor=1) -> str:
    """Writes mean ± sample standard deviation; of one value, the value; of none, `-`."""
    figures = [statistics.fmean(values)] if values else []
    figures += [statistics.stdev(values)] if len(values) > 1 else []
    return " ± ".join(f"{factor * figure:.1f}" for figure in figures) or "-"


def _markdown(rows) -> str:
    header, *body = ["| " + " | ".join(row) + " |" for row in rows]
    aligned = "|---|" + "---:|" * (len(rows[0]) - 1)
    return "\n".join([header, aligned, *body])
