"""Data sets by name, and the files in which the tasks' images are stored."""

from tfcil.data.datasets import Dataset, load_dataset

__all__ = ["Dataset", "load_dataset"]
