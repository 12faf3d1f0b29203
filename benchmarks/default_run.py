"""The time of the default experiment: `dvc repro` in a fresh clone, stage by stage."""

import reporting
from timed_repro import by_stage, timed_repro, total


def main():
    measured = timed_repro()
    processes = measured["processes"]
    stages = by_stage(processes)
    dvc = {
        "wall": round(measured["wall"] - total(processes, "wall"), 2),
        "cpu": round(measured["cpu"] - total(processes, "cpu"), 2),
    }
    reporting.show("Seconds by stage; all but `cpu` are wall", stages)
    summary = {
        "wall s": measured["wall"],
        "CPU s": measured["cpu"],
        "process starts": len(processes) + 1,  # and DVC
        "DVC, shells, interpreters: wall s": dvc["wall"],
        "CPU s of them": dvc["cpu"],
    }
    reporting.show("Default run", [summary])
    reporting.save("default_run", {**summary, "stages": stages})


if __name__ == "__main__":
    main()
