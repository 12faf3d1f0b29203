"""Characters of Omniglot, the embedded data set: small images that can be learned in seconds."""


def characters(first, last, split="train"):
    """Images, (n, 28, 28, 1) uint8, and labels of the classes from `first` to `last - 1`."""
    from tfcil.config.params import Dataset
    from tfcil.data.datasets import load_dataset

    dataset = load_dataset(Dataset(name="omniglot100"))
    images = getattr(dataset, f"{split}_images")
    labels = getattr(dataset, f"{split}_labels")
    chosen = (labels >= first) & (labels < last)
    return images[chosen], labels[chosen]
