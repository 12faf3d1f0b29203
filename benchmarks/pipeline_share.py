"""The share of a `dvc repro` that is neither training nor prediction, in a fresh clone."""

import argparse

import reporting
from timed_repro import by_stage, timed_repro, total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", help="a params.yaml; default: the committed one")
    options = parser.parse_args()
    measured = timed_repro(options.params)
    work = sum(total(measured["processes"], phase) for phase in ("fit", "predict"))
    tracing = total(measured["processes"], "trace")
    row = {
        "params": options.params or "params.yaml",
        "wall s": measured["wall"],
        "training, prediction s": round(work, 2),
        "tracing s": tracing,
        "other share": round(1 - (work + tracing) / measured["wall"], 4),
        "other share with tracing": round(1 - work / measured["wall"], 4),
    }
    reporting.show("What is not training or prediction", [row])
    reporting.save("pipeline_share", {**row, "stages": by_stage(measured["processes"])})


if __name__ == "__main__":
    main()
