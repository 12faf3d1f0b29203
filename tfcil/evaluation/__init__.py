"""Rules that predict from a model, measures of it, and the figures computed from both."""
