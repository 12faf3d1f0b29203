"""Ways to predict: a file `NAME.py` with `RULE = Rule(...)` is the rule NAME."""
