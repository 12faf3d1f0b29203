"""Two experiments side by side."""
