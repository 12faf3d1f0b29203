"""The stages of an experiment, one file each: they read files and write files.

A stage is a function of the `Layout` of the experiment, its whole params.yaml, and, where it runs
once per task, the task's key.
"""
