"""Figures of a model: a file `NAME.py` with `MEASURE = Measure(...)` is the measure NAME."""
