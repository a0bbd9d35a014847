from benchmarks import scaling_cost, scaling_plot


def test_the_plot_needs_no_fit_to_the_points(tmp_path):
    calls = [scaling_cost.Call(n, size, 5.0, 10**9) for n, size in [(100, 0.3), (1000, 0.3), (16, 0.3), (16, 24)]]
    batches = [{"batch_size": 1, "ms": 9.0, "peak_bytes": 10**9}]
    scaling_plot.draw(tmp_path / "plot.png", calls, scaling_cost.Cost(1.0, 0.01, 0.1), batches)
    assert (tmp_path / "plot.png").stat().st_size > 10_000
