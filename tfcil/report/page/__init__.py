"""The page report.html: geometry of its figures in Python, drawn by templates."""
