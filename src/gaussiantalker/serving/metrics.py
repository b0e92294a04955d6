"""What a server counts, for Prometheus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gaussiantalker.speaking.gauges import STAGES, Gauges, percentiles

_QUANTILES = (0.5, 0.95, 0.99)
_COUNTERS = {  # a gauge's attribute: the counter's name, and what it counts
    "frames": ("frames_total", "Frames given out, each 40 ms of sound."),
    "spoken": ("spoken_frames_total", "Frames with speech in them."),
    "late": ("late_pictures_total", "Frames without a new picture, because it was not ready in time."),
}


class Metrics:
    """Counts of sessions that have ended; those of running ones are added when asked."""

    def __init__(self) -> None:
        self.begun = 0
        self._ended = dict.fromkeys(_COUNTERS, 0)

    def add(self, gauges: Gauges) -> None:
        """The counts of a session that has ended."""
        for name in _COUNTERS:
            self._ended[name] += getattr(gauges, name)

    def text(self, running: Sequence[Gauges]) -> str:
        """All metrics in Prometheus' text format, version 0.0.4."""
        return "".join(f"{line}\n" for line in self._lines(running))

    def _lines(self, running: Sequence[Gauges]) -> Iterator[str]:
        yield from _metric("sessions", "gauge", "Sessions that are running.", {"": len(running)})
        yield from _metric("sessions_total", "counter", "Sessions that were begun.", {"": self.begun})
        for attribute, (name, meaning) in _COUNTERS.items():
            count = self._ended[attribute] + sum(getattr(gauges, attribute) for gauges in running)
            yield from _metric(name, "counter", meaning, {"": count})
        meaning = "Seconds of work per picture, of the last twenty seconds of the running sessions."
        stages = {
            f'stage="{stage}",': [second for gauges in running for second in list(gauges.seconds[stage])]
            for stage in STAGES
        }
        yield from _metric("stage_seconds", "gauge", meaning, _quantiles(stages))
        meaning = (
            "Seconds from the first sound of a segment to its first frame, of the running sessions' last segments."
        )
        latencies = {"": [second for gauges in running for second in list(gauges.latency)]}
        yield from _metric("playback_latency_seconds", "gauge", meaning, _quantiles(latencies))


def _quantiles(values: Mapping[str, Iterable[float]]) -> dict[str, float]:
    """Labels and values: quantiles of each entry, whose key holds further labels."""
    wanted = [100 * quantile for quantile in _QUANTILES]
    return {
        f'{{{labels}quantile="{quantile}"}}': value
        for labels, entry in values.items()
        for quantile, value in zip(_QUANTILES, percentiles(entry, *wanted), strict=True)
    }


def _metric(name: str, kind: str, meaning: str, values: dict[str, float]) -> Iterator[str]:
    """The lines of one metric; keys of `values` are labels in braces, or empty."""
    yield f"# HELP gaussiantalker_{name} {meaning}"
    yield f"# TYPE gaussiantalker_{name} {kind}"
    for labels, value in values.items():
        yield f"gaussiantalker_{name}{labels} {round(value, 6)}"
