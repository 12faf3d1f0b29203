"""finetune: the classification loss on the new images alone, which forgets the old classes."""

from tfcil.methods.base import Method
from tfcil.methods.classification import classification_term

ABOUT = {"losses": ["ce", "bsce", "relaxed-bsce"], "memory": False}

METHOD = Method(
    lambda options, increment: [classification_term(options, increment)], teacher_outputs=()
)
