"""params.yaml: its sections, its presets, its block of tasks and its reference."""
