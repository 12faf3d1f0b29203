"""replay: the classification loss on the new images and the exemplars, without a teacher."""

from tfcil.methods.base import Method
from tfcil.methods.classification import classification_term

ABOUT = {"losses": ["ce", "bsce", "meta-bsce"]}

METHOD = Method(
    lambda options, increment: [classification_term(options, increment)], teacher_outputs=()
)
