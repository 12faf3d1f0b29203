"""What methods, losses and corrections have in common: typed options, facts, a name."""
