"""`precision: mixed_bfloat16` on a processor that is slow at it is told before any training."""

from types import SimpleNamespace

import pytest

from tfcil.config.network import Model
from tfcil.files import write_json
from tfcil.stages.layout import Layout
from tfcil.stages.start import CPUINFO, bfloat16_warning, start

AVX2 = "processor\t: 0\nflags\t\t: fpu sse2 avx2 fma\nbugs\t\t:\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\n"
WARNING = (
    "mixed_bfloat16: this processor has no bfloat16 instructions (avx512_bf16, amx_bf16); "
    "on such a processor, with AVX2, a training step was measured 16 times slower than float32"
)


def test_processor_without_instructions_is_told():
    assert bfloat16_warning("mixed_bfloat16", ["cpu:0"], AVX2) == WARNING


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_nothing_is_said_with_instructions(flag):
    assert bfloat16_warning("mixed_bfloat16", ["cpu:0"], AVX2.replace("fma", flag)) is None


@pytest.mark.parametrize(
    ("precision", "device", "cpuinfo"),
    [
        ("float32", "cpu:0", AVX2),
        ("mixed_bfloat16", "gpu:0", AVX2),
        ("mixed_bfloat16", "cpu:0", ARM),
        ("mixed_bfloat16", "cpu:0", ""),
    ],
    ids=["float32", "GPU", "another kind of processor", "another system"],
)
def test_nothing_is_said_where_nothing_is_known_to_be_slow(precision, device, cpuinfo):
    assert bfloat16_warning(precision, [device], cpuinfo) is None


@pytest.mark.skipif(
    not CPUINFO.exists() or bfloat16_warning("mixed_bfloat16", ["cpu:0"]) is None,
    reason="needs a processor without bfloat16 instructions",
)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_stage_start_prints_it(precision, tmp_path, capsys):
    layout = Layout.of(tmp_path)
    layout.image_format.parent.mkdir(parents=True, exist_ok=True)
    images = {"shape": [8, 8, 3], "mean": [120.0] * 3, "std": [60.0] * 3}
    write_json(layout.image_format, images)
    model = Model(precision=precision)
    start(layout, SimpleNamespace(seed=0, model=model))
    expected = WARNING + "\n" if precision == "mixed_bfloat16" else ""
    assert capsys.readouterr().err == expected
