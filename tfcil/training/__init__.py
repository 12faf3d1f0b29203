"""Trains a task: its images and a student in, the trained student out. Knows no method by name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "balance": ["HeadMovement", "LimitedPush"],
        "checkpoint": ["Checkpoint"],
        "phase": ["Batch", "BeforeStep", "Phase", "Term", "Transform"],
        "reweighting": ["HeadReweighting", "column_factors"],
        "samplers": ["Balanced", "Joined", "PerClass", "Shuffled"],
        "determinism": ["make_deterministic"],
        "task": ["Task"],
        "transforms": ["Clipped", "ClippedNorm", "FrozenColumns"],
    },
)
