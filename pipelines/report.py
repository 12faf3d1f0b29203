"""DVC stage report: the figures and pictures of the whole experiment."""

from tfcil.cli import main_of_stage

main_of_stage("report")
