"""The block `tasks:` is rewritten or gets a line; the rest of params.yaml stays to the letter."""

import pytest

from tfcil.config.tasks_block import rewrite_tasks
from tfcil.errors import UserError


def test_rewriting_the_tasks_leaves_the_rest_to_the_letter(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "# head\nmemory: 1   # a\ntasks:  # b\n  '00': {classes: 2}\n\n  # c\n  '01': x\nseed: 1\n"
    )
    rewrite_tasks(path, {"00": {"classes": 5, "after": "start", "recipe": "base"}})
    assert path.read_text() == (
        "# head\nmemory: 1   # a\n"
        'tasks:\n  "00": {classes: 5, after: "start", recipe: base}\n'
        "seed: 1\n"
    )


def test_rewriting_without_a_block_of_tasks_is_told(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("memory: 1\n")
    with pytest.raises(UserError, match="tasks"):
        rewrite_tasks(path, {})
