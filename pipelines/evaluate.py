"""DVC stage evaluate@TASK: counts the predictions on all classes seen so far."""

from tfcil.cli import main_of_stage

main_of_stage("evaluate")
