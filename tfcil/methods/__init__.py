"""The methods by their names in params.yaml. One file each; what two share is in one place."""

from tfcil.methods.base import Increment, Method, Term
from tfcil.methods.baseline import BASELINE
from tfcil.methods.classification import cross_entropy_term
from tfcil.methods.finetune import FINETUNE

METHODS = {"baseline": BASELINE, "finetune": FINETUNE}

__all__ = ["METHODS", "Increment", "Method", "Term", "cross_entropy_term"]
