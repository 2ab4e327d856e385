"""The benchmark of a GPU takes no processor for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import gpu
from tests.engine.tiny import CPU


@pytest.mark.parametrize("asked", [[], ["--device", "cpu"]])
def test_figures_of_a_cpu_are_not_written_as_those_of_a_gpu(
    asked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- gpu -->\n<!-- /gpu -->\n")
    monkeypatch.setattr(gpu, "pick_device", lambda wish: CPU)
    monkeypatch.setattr("sys.argv", ["gpu", "--document", str(page), *asked])
    monkeypatch.setattr(gpu, "PARTS", {"tile": lambda *_: iter(["| figures |"])})

    with pytest.raises(SystemExit):
        gpu.main()

    assert "a GPU is measured" in capsys.readouterr().err
    assert "figures" not in page.read_text()
