"""One task: teacher and grown student and batches in, fitted student out."""

from tfcil.training.checkpoint import Checkpoint
from tfcil.training.strategy import make_deterministic
from tfcil.training.task import train_task

__all__ = ["Checkpoint", "make_deterministic", "train_task"]
