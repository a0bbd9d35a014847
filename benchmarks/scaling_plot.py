"""Draws what `scaling.py` measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from benchmarks.scaling_cost import Call, Cost

_SECONDS_COLOR, _MEMORY_COLOR = "#1f5fa8", "#c2571a"


def draw(path: Path, calls: Sequence["Call"], cost: "Cost", batches: Sequence[dict[str, Any]]) -> None:
    """Draws time and memory against number of photos, photo size, and batch size.

    Args:
      path: of the PNG file.
      calls: measured, of one size and several numbers, or of one number and several sizes.
      cost: fitted to them; drawn as a line.
      batches: measured, with keys `batch_size`, `ms` and `peak_bytes`.
    """
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    by_number, by_size, by_batch = figure.subplots(1, 3)

    smallest, num_per_size = min(call.megapixels for call in calls), min(call.num_photos for call in calls)
    counted = sorted((call for call in calls if call.megapixels == smallest), key=lambda call: call.num_photos)
    numbers = np.geomspace(counted[0].num_photos, counted[-1].num_photos)
    by_number.loglog(numbers, cost.predict(numbers, smallest), color=_SECONDS_COLOR, alpha=0.5)
    _draw_points(by_number, [call.num_photos for call in counted], counted)
    by_number.set(xlabel=f"photos of {smallest:g} megapixels", ylabel="seconds, line: fitted")

    sized = sorted((call for call in calls if call.num_photos == num_per_size), key=lambda call: call.megapixels)
    sizes = np.linspace(sized[0].megapixels, sized[-1].megapixels)
    by_size.plot(sizes, cost.predict(num_per_size, sizes), color=_SECONDS_COLOR, alpha=0.5)
    _draw_points(by_size, [call.megapixels for call in sized], sized)
    by_size.set(xlabel=f"megapixels, {num_per_size} photos", ylabel="seconds, line: fitted", ylim=(0, None))

    batch_sizes = [batch["batch_size"] for batch in batches]
    milliseconds = [batch["ms"] / batch["batch_size"] for batch in batches]
    by_batch.semilogx(batch_sizes, milliseconds, "o-", base=2, color=_SECONDS_COLOR)
    by_batch.set(xlabel="batch size of the network", ylabel="ms a photo", ylim=(0, None))
    _draw_memory(by_batch, batch_sizes, [batch["peak_bytes"] for batch in batches])
    figure.savefig(path, dpi=110)


def _draw_points(axes: Axes, x: Sequence[float], calls: Sequence["Call"]) -> None:
    axes.plot(x, [call.seconds for call in calls], "o", color=_SECONDS_COLOR)
    _draw_memory(axes, x, [call.peak_bytes for call in calls])


def _draw_memory(axes: Axes, x: Sequence[float], peak_bytes: Sequence[int]) -> None:
    axes.yaxis.label.set_color(_SECONDS_COLOR)
    memory = axes.twinx()
    memory.plot(x, np.array(peak_bytes) / 1e9, "s--", color=_MEMORY_COLOR, markersize=4)
    memory.set(ylim=(0, None))
    memory.set_ylabel("peak memory, GB", color=_MEMORY_COLOR)
