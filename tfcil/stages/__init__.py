"""The stages of an experiment, one file each: they read files and write files."""
