"""What methods share whose student has one more backbone, and a second head on it."""

import keras

from tfcil.classifier import branches, drawn


def expanded_with_head(task, units):
    """Makes the expanded student with the outputs `logits` and `auxiliary`.

    Args:
        task: the `Task`.
        units: outputs of the head on the new backbone's features alone, which is for training.
    """
    student = task.expanded()
    head = keras.layers.Dense(units, dtype="float32", name="auxiliary")
    auxiliary = head(branches(student)[-1].output)
    kernel, bias = head.get_weights()
    head.set_weights([drawn(task.generator, *kernel.shape), bias])
    outputs = {"logits": student.output, "auxiliary": auxiliary}
    return keras.Model(student.input, outputs, name=student.name)
