"""DVC stage start: a model that knows no class, and an empty memory."""

from tfcil.cli import main_of_stage

main_of_stage("start")
