"""Collects the records of a grid by variant."""

import statistics
from dataclasses import dataclass

from tfcil.components.registry import names
from tfcil.config.params import Params


@dataclass(frozen=True)
class Variant:
    """The finished runs of one variant: `params` with the first seed, and record.json by seed."""

    name: str
    params: Params
    records: dict[int, dict]

    def values(self, figure: str) -> list[float]:
        """Returns a figure of each seed, such as `"metrics.last_accuracy"`; [] if one lacks it."""
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
    """Collects the finished runs by variant: by method, then in the order of the file."""
    order = [run.variant for run in runs]
    first = {run.variant: run.params for run in reversed(runs)}
    variants: dict[str, Variant] = {}
    for run in sorted(runs, key=lambda run: order.index(run.variant)):
        if run.finished:
            variant = variants.setdefault(run.variant, Variant(run.variant, first[run.variant], {}))
            variant.records[run.seed] = run.record()
    methods = [run.params.method.name for run in runs if run.params]
    return sorted(variants.values(), key=lambda one: methods.index(one.params.method.name))


def loss_pairs(variants) -> list[tuple[Variant, Variant]]:
    """Pairs variants of ce or nca with those of bsce that differ in loss and correction only.

    Closed forms have no loss, so none of them is in a pair.
    """
    return [
        (other, bsce)
        for other in variants
        for bsce in variants
        if other.params.method.loss in ("ce", "nca")
        and bsce.params.method.loss == "bsce"
        and bsce.params.choice().correction is None
        and not bsce.params.choice().method.facts.keeps_statistics
        and _all_but_loss(other) == _all_but_loss(bsce)
    ]


def _all_but_loss(variant) -> dict:
    # Options of a correction have no effect where another one or none is in use.
    ignored = {"seed": True, "method": {"loss", "correction"}, "options": set(names("correction"))}
    return variant.params.model_dump(exclude=ignored)
