"""Learning from arrays of one's own, without DVC: a function per task, a class to hold on to."""

from tfcil.learning.incremental import IncrementalClassifier
from tfcil.learning.one_task import learn

__all__ = ["IncrementalClassifier", "learn"]
