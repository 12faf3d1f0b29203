"""Compares two experiments."""
