"""DVC stage train@TASK: teaches the model of the task before one more task's classes."""

from tfcil.cli import main_of_stage

main_of_stage("train")
