"""`python -m tfcil`: the command `tfcil`."""

from tfcil.cli import main

main()
