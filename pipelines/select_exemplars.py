"""DVC stage select@TASK: chooses the exemplars that are kept after a task."""

from tfcil.cli import main_of_stage

main_of_stage("select")
