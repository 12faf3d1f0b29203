"""Data sets by name, and the files in which the tasks' images are stored."""

from tfcil.data.datasets import LoadedDataset, load_dataset, open_dataset
from tfcil.data.splits import Dataset, Split

__all__ = ["Dataset", "LoadedDataset", "Split", "load_dataset", "open_dataset"]
