"""A warning, before the hours are spent, that a processor has no bfloat16 instructions."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def bfloat16_warning(precision: str, devices, cpuinfo: str | None = None) -> str | None:
    """Returns one line of warning where `mixed_bfloat16` would be slow.

    Args:
        precision: name of a Keras dtype policy.
        devices: names as `keras.distribution.list_devices` returns them, such as `cpu:0`.
        cpuinfo: text of /proc/cpuinfo; None: that of this machine.

    Returns:
        The line; None in any other precision, with an accelerator, with such instructions, and
        where /proc/cpuinfo lists no `flags`, as on processors other than x86.
    """
    if precision != "mixed_bfloat16" or not all(name.startswith("cpu:") for name in devices):
        return None
    if cpuinfo is None:
        cpuinfo = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    fields = (line.partition(":") for line in cpuinfo.splitlines())
    flags = next((value.split() for name, _, value in fields if name.strip() == "flags"), None)
    if flags is None or set(INSTRUCTIONS) & set(flags):
        return None
    return (
        f"mixed_bfloat16: this processor has no bfloat16 instructions ({', '.join(INSTRUCTIONS)}); "
        "on such a processor, with AVX2, a training step was measured 16 times slower than float32"
    )
