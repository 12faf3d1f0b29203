"""The picture of an experiment: accuracy as classes arrive, and the accuracy matrix."""

from tfcil.evaluation.registry import all_rules, primary


def draw_accuracy(path, results) -> None:
    """Draws the accuracy after each task by every rule, and the primary rule's matrix, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for rule, matrix in results.matrices.items():
        aia = matrix.average_incremental_accuracy()
        label = f"{all_rules()[rule].title} (average {aia:.3f})"
        left.plot(results.num_classes, matrix.curve(), marker="o", label=label)
    left.set(xlabel="classes seen", ylabel="accuracy", ylim=(0, 1.02))
    left.set_title("All classes seen so far")
    left.grid(alpha=0.3)
    left.legend(loc="lower left")
    accuracies = results.primary.accuracies()
    shown = right.imshow(accuracies, vmin=0, vmax=1, cmap="viridis")
    right.set(xlabel="test images of task", ylabel="after task")
    right.set_title(f"Accuracy by task ({all_rules()[primary()].title})")
    positions = range(len(results.tasks))
    if len(results.tasks) <= 12:
        right.set_xticks(positions, results.tasks)
        right.set_yticks(positions, results.tasks)
        for row in positions:
            for column in range(row + 1):
                value = accuracies[row, column]
                color = "white" if value < 0.6 else "black"
                right.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
    figure.colorbar(shown, ax=right)
    # Otherwise Matplotlib writes its version into the file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
