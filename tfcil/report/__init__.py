"""Figures, tables and the printed summary of an experiment."""
