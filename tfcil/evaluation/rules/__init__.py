"""Rules, ways to predict: `NAME.py` with `RULE = Rule(...)` is the rule NAME."""
