"""The page of a grid, by records made by hand."""

import copy

import pytest
import yaml
from tiny_grid import PARAMS

from tfcil.config.params import Params
from tfcil.files import write_json
from tfcil.grid.figure import label_of
from tfcil.grid.page import write_page
from tfcil.grid.plan import Grid, Run, code_of, code_of_base, record_of
from tfcil.grid.results import collect


@pytest.fixture
def make_run(tmp_path):
    """Makes a run with the record that a worker would have left."""

    def make(variant, seed, changes=None, record=None, refused="", options=None):
        values = copy.deepcopy(PARAMS) | {"seed": seed, "options": options or {}}
        values["method"] |= changes or {}
        params = None if refused else Params.of(values, source="test")
        folder = tmp_path / "runs" / variant / str(seed)
        run = Run(variant, seed, folder, yaml.safe_dump(values), params, refused)
        if record:
            folder.mkdir(parents=True)
            (folder / "params.yaml").write_text(run.text)
            write_json(record_of(folder), {"code": params and code_of(run)} | record)
        return run

    return make


def record(aia, last, seconds=10.0, passes=1000, nme=None, error=None, **others):
    metrics = {
        "average_incremental_accuracy": aia,
        "last_accuracy": last,
        "forgetting": 0.125,
        "old_accuracy": 0.25,
        "new_accuracy": 1.0,
    }
    if nme is not None:
        metrics["nme"] = {"average_incremental_accuracy": nme, "last_accuracy": nme}
    metrics["measures"] = {} if error is None else {"calibration_error": error}
    return {
        "metrics": metrics,
        "sample_passes": passes,
        "train_seconds": {"wall": 99.0, "cpu": seconds},
        "seconds": 60.0,
        "workers": 2,
        "machine": "A Processor, 2 cores",
    } | others


@pytest.fixture
def page(tmp_path):
    """Writes the page of some runs and returns its text."""

    def write(runs, bases=(), **changes):
        values = {
            "params": "params.yaml",
            "title": "A title",
            "seeds": sorted({run.seed for run in runs}),
            "output": str(tmp_path / "results" / "page"),
            "runs": {run.variant: {} for run in runs},
        }
        grid = Grid.of(values | changes, source="test")
        write_page(grid, runs, "tfcil grid FILE", list(bases))
        return (tmp_path / "results" / "page.md").read_text()

    return write


def cells(text, name):
    """The row of a table that begins with a name."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_closed_forms_pass_no_sample_and_are_compared_with_no_other_loss(page, make_run):
    """A ratio of their sample passes would be 0 by 0."""
    losses = {"one": "ce", "other": "bsce"}
    text = page(
        [
            make_run(name, 1, {"name": "lda", "loss": loss}, record(0.5, 0.4, passes=0))
            for name, loss in losses.items()
        ]
    )
    assert cells(text, "one")[-1] == "0"
    assert "Correction dropped" not in text


def test_mean_and_sample_deviation_over_the_seeds(page, make_run, tmp_path):
    """By hand: AIA 50, 60, 70 have mean 60 and deviation 10, seconds 10, 20, 30 twice a tenth."""
    accuracies = zip((0.5, 0.6, 0.7), (0.4, 0.4, 0.4), (10, 20, 30), strict=True)
    records = [record(aia, last, seconds, 12345, 0.3, 0.05) for aia, last, seconds in accuracies]
    text = page([make_run("ours", seed, record=one) for seed, one in enumerate(records)])
    header, row = cells(text, "variant"), cells(text, "ours")
    assert dict(zip(header, row, strict=True)) == {
        "variant": "ours",
        "AIA": "60.0 ± 10.0",
        "last": "40.0 ± 0.0",
        "forgetting": "12.5 ± 0.0",
        "old": "25.0 ± 0.0",
        "new": "100.0 ± 0.0",
        "NME AIA": "30.0 ± 0.0",
        "NME last": "30.0 ± 0.0",
        "expected calibration error": "5.0 ± 0.0",
        "CPU seconds": "20.0 ± 10.0",
        "sample passes": "12,345",
    }
    explained = text.partition("Accuracies and measures in percent")[2]
    assert "; NME: nearest mean of exemplars." in explained
    assert (tmp_path / "results" / "page.png").read_bytes().startswith(b"\x89PNG")


def test_each_figure_of_a_measure_with_several_has_its_column(page, make_run):
    asked, other = record(0.5, 0.5), record(0.5, 0.5)
    asked["metrics"]["measures"] = {"recall@1": 0.5, "recall@1_old": 0.25}
    text = page([make_run("with", 0, record=asked), make_run("without", 0, record=other)])
    assert "Accuracies and measures in percent" in text
    for name, expected in (("with", ("50.0", "25.0")), ("without", ("-", "-"))):
        row = dict(zip(cells(text, "variant"), cells(text, name), strict=True))
        assert (row["recall@1"], row["recall@1 old"]) == expected


def test_one_seed_has_no_deviation_and_no_exemplars_no_nearest_mean(page, make_run):
    with_memory = make_run("with", 0, record=record(0.5, 0.5, nme=0.5))
    text = page([with_memory, make_run("without", 0, record=record(0.25, 0.5))])
    row = dict(zip(cells(text, "variant"), cells(text, "without"), strict=True))
    assert (row["AIA"], row["NME AIA"], row["NME last"]) == ("25.0", "-", "-")


def test_a_rule_or_measure_that_no_record_has_gets_no_column(page, make_run):
    text = page([make_run("a", 0, record=record(0.5, 0.5))])
    assert cells(text, "variant")[1:6] == ["AIA", "last", "forgetting", "old", "new"]
    assert "NME" not in text
    assert "calibration" not in text
    assert "Accuracies in percent" in text


def test_accuracy_by_class_size_has_columns_where_any_run_has_it(page, make_run):
    unbalanced = record(0.5, 0.5)
    unbalanced["metrics"]["shots"] = {"many": 0.5, "medium": None, "few": 0.25, "worst_class": 0.0}
    text = page([make_run("a", 0, record=unbalanced), make_run("b", 0, record=record(0.5, 0.5))])
    header = cells(text, "variant")
    assert header[6:9] == ["many-shot classes", "few-shot classes", "worst class"]
    assert cells(text, "a")[6:9] == ["50.0", "25.0", "0.0"]
    assert cells(text, "b")[6:9] == ["-", "-", "-"]


def test_rows_stand_by_method_in_the_order_of_the_file(page, make_run):
    names = {"z": "replay", "b": "baseline", "y": "replay", "a": "baseline"}
    runs = [make_run(name, 0, {"name": of}, record(0.5, 0.5)) for name, of in names.items()]
    lines = [line.split("|")[1].strip() for line in page(runs).splitlines() if line[:1] == "|"]
    assert [line for line in lines if line in names] == ["z", "y", "b", "a"]


def test_what_bsce_saves_is_told_where_loss_and_correction_alone_differ(page, make_run):
    """By hand: 800 of 1000 passes, 9 of 12 seconds, 62.5 - 50 points; 900 passes, 75 - 50."""
    corrected = {"loss": "ce", "correction": "balanced_finetuning"}
    podnet = {"name": "podnet"}
    runs = [
        make_run(
            *("ours ce", 0, corrected, record(0.5, 0.5, 12.0, 1000)),
            options={"balanced_finetuning": {"epochs": 3}},
        ),
        make_run("ours bsce", 0, {"loss": "bsce"}, record(0.625, 0.5, 9.0, 800)),
        make_run(
            *("mild bsce", 0, {"loss": "bsce"}, record(0.9, 0.5)), options={"bsce": {"tau": 0.5}}
        ),
        make_run("other ce", 0, {"loss": "ce", "name": "replay"}, record(0.9, 0.5)),
        make_run("nca", 0, podnet | {"loss": "nca"}, record(0.5, 0.5, 12.0, 1000)),
        make_run("podnet bsce", 0, podnet | {"loss": "bsce"}, record(0.75, 0.5, 12.0, 900)),
    ]
    text = page(runs).partition("## Correction dropped")[2]
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "| ours ce | ours bsce | 0.80 | 0.75 | +12.5 |",
        "| nca | podnet bsce | 0.90 | 1.00 | +25.0 |",
    ]


def test_a_colour_is_a_loss_and_the_correction_that_was_asked_for(make_run):
    changes = {
        "ce": {"loss": "ce"},
        "ce, weight_aligning": {"loss": "ce", "correction": "weight_aligning"},
        "bsce": {"loss": "bsce", "correction": "none"},
    }
    variants = collect([make_run(name, 0, one, record(0.5, 0.5)) for name, one in changes.items()])
    assert [label_of(one) for one in variants] == list(changes)


def test_failed_and_missing_runs_are_told_apart_from_the_finished(page, make_run):
    runs = [
        make_run("partly", 0, record=record(0.5, 0.5)),
        make_run("partly", 1, record={"failed": "the loss `exploded`"}),
        make_run("refused", 0, refused="no such loss"),
        make_run("refused", 1, refused="no such loss"),
        make_run("missing", 0),
    ]
    text = page(runs)
    assert cells(text, "partly (1 of 2 seeds)")[1] == "50.0"
    finished, _, rest = text.partition("## Failed runs")
    failed, _, missing = rest.partition("## Not run yet")
    assert "* seed 1, partly: `the loss 'exploded'`" in failed
    assert "* seed 0 and 1, refused: `no such loss`" in failed
    assert missing.split() == ["*", "seed", "0,", "missing"]
    assert "refused" not in finished
    assert "missing" not in finished


def test_page_without_a_finished_run_tells_why(page, make_run):
    text = page([make_run("a", 0, refused="no such loss")])
    assert "no such loss" in text
    assert "| variant" not in text


def test_time_counts_runs_and_shared_tasks_once_over_the_workers(page, make_run):
    """By hand: 2 runs of 60 s and a first task of 24 s, on 2 workers: 72 s."""
    runs = [make_run(name, 0, record=record(0.5, 0.5)) for name in "ab"]
    text = page(runs, bases=[{"seconds": 24.0, "code": code_of_base(runs[0])}])
    assert "2 runs and 1 shared first tasks took 1.2 minutes with 2 workers" in text
    assert "A Processor, 2 cores." in text
    assert "another version" not in text


OTHER_CODE = "**Some runs were made by another version of the code.**"


def test_figures_of_other_code_are_not_passed_off_as_of_one_piece(page, make_run):
    records = [record(0.5, 0.5), record(0.5, 0.5, code="another")]
    runs = [make_run(name, 0, record=one) for name, one in zip("ab", records, strict=True)]
    assert OTHER_CODE in page(runs)
    assert OTHER_CODE not in page(runs[:1])
    assert OTHER_CODE in page(runs[:1], bases=[{"seconds": 24.0, "code": "another"}])


def test_methods_are_of_one_version_although_each_has_its_own_code(page, make_run):
    changes = {"a": {"name": "icarl", "loss": "ce"}, "b": {"name": "wa", "loss": "bsce"}}
    runs = [make_run(name, 0, one, record(0.5, 0.5)) for name, one in changes.items()]
    codes = {run.record()["code"] for run in runs}
    bases = [{"seconds": 24.0, "code": code_of_base(run)} for run in runs]
    assert len(codes) == 2
    refused = make_run("refused", 0, refused="no such loss")
    assert OTHER_CODE not in page([*runs, refused], bases)
    # A first task of a run that is not finished, such as one of ncm, is of this version, too.
    unfinished = make_run("c", 0, {"name": "ncm", "loss": "ce", "correction": "none"})
    own = {"seconds": 1.0, "code": code_of_base(unfinished)}
    assert own["code"] not in {one["code"] for one in bases}
    assert OTHER_CODE not in page([*runs, refused, unfinished], [*bases, own])


def test_notes_and_published_figures_have_their_own_sections(page, make_run):
    run = make_run("a", 0, record=record(0.5, 0.5))
    text = page([run], notes="A note.", published="| theirs | 12.3 |")
    assert text.startswith("# A title\n\n```sh\ntfcil grid FILE\n```\n")
    own, _, others = text.partition("## Published figures")
    assert "theirs" not in own
    assert others.index("| theirs | 12.3 |") < others.index("## Notes\n\nA note.")
