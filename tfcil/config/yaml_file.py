"""Reads a YAML file of sections; what is wrong with it is told in one line."""

from pathlib import Path

import yaml

from tfcil.errors import UserError, brief


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would silently keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise UserError(f"Expected each key once. Received: {key} twice from line {line}")
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict:
    """Reads a YAML file of sections; one that is missing, damaged or ambiguous is a `UserError`."""
    try:
        loaded = yaml.load(Path(path).read_text(encoding="utf-8"), _UniqueKeyLoader)
    # PyYAML raises ValueError for huge integers and bad dates, RecursionError for deep nesting.
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Expected a readable YAML file ({reason}). Received: path={path}"
        ) from None
    if not isinstance(loaded, dict):
        raise UserError(
            f"{path}: expected sections such as `memory: 200`. Received: {brief(loaded)}"
        )
    return loaded
