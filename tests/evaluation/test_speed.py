"""The stopwatch, without looking at the clock."""

from gaussiantalker.evaluation.speed import WARM_UP, Stopwatch


def test_everything_comes_through_and_the_first_do_not_count() -> None:
    watch = Stopwatch()
    assert list(watch.watch(range(12))) == list(range(12))
    assert len(watch.waits) == 12 and len(watch.counted) == 12 - WARM_UP


def test_rates_and_percentiles() -> None:
    watch = Stopwatch([9.0] * WARM_UP + [0.02] * 9 + [0.12])
    assert round(watch.per_second) == 33
    assert round(watch.percentile(50)) == 20
    assert watch.percentile(95) > 20
