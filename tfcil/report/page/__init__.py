"""The page report.html: Python computes the geometry, templates draw it."""
