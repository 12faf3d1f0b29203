"""Rules that predict from a model, measures of a model, and the accuracy matrix."""
