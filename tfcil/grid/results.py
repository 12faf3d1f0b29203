"""The records of a grid, gathered by variant."""

import statistics
from dataclasses import dataclass

from tfcil.components.registry import names
from tfcil.config.params import Params


@dataclass(frozen=True)
class Variant:
    """The finished runs of one variant.

    Attributes:
        name: its name.
        params: its settings, with any of its seeds.
        records: contents of record.json, by seed.
    """

    name: str
    params: Params
    records: dict[int, dict]

    def values(self, figure: str) -> list[float]:
        """Looks a figure up in every record.

        Args:
            figure: its path in a record, such as `"metrics.last_accuracy"`.

        Returns:
            A list of one number per seed; empty if any record lacks the figure.
        """
        found = [_look_up(record, figure.split(".")) for record in self.records.values()]
        return [] if None in found else found

    def mean(self, figure: str) -> float:
        """Computes the mean of a figure over the seeds."""
        return statistics.fmean(self.values(figure))


def _look_up(record, path):
    for key in path:
        record = (record or {}).get(key)
    return record


def collect(runs) -> list[Variant]:
    """Gathers the finished runs by variant, those of a method in a row, in the order of the file.

    Args:
        runs: list of `tfcil.grid.plan.Run`.
    """
    variants: dict[str, Variant] = {}
    for run in runs:
        if run.finished:
            variant = variants.setdefault(run.variant, Variant(run.variant, run.params, {}))
            variant.records[run.seed] = run.record()
    methods = list(dict.fromkeys(run.params.method.name for run in runs if run.params))
    order = list(dict.fromkeys(run.variant for run in runs))
    return sorted(
        variants.values(),
        key=lambda one: (methods.index(one.params.method.name), order.index(one.name)),
    )


def loss_pairs(variants) -> list[tuple[Variant, Variant]]:
    """Finds the variants with bsce that differ from one with ce or nca in loss and correction only.

    Args:
        variants: list of `Variant`.

    Returns:
        Pairs of a variant with ce or nca and its counterpart with bsce.
    """
    return [
        (other, bsce)
        for other in variants
        for bsce in variants
        if other.params.method.loss in ("ce", "nca")
        and bsce.params.method.loss == "bsce"
        and _all_but_loss(other) == _all_but_loss(bsce)
    ]


def _all_but_loss(variant) -> dict:
    # Options of a correction decide nothing where another one or none is in use.
    ignored = {"seed": True, "method": {"loss", "correction"}, "options": set(names("correction"))}
    return variant.params.model_dump(exclude=ignored)
