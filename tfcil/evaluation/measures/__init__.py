"""Measures, figures of a model: `NAME.py` with `MEASURE = Measure(...)` is the measure NAME."""
