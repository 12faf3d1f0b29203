"""DVC stage prepare: a data set becomes the images of each task."""

from tfcil.cli import main_of_stage

main_of_stage("prepare")
