"""DVC stage recipes: for each task, every setting that decides how it is trained."""

from tfcil.cli import main_of_stage

main_of_stage("recipes")
