"""How a score over time becomes events; stored in the model file."""

from dataclasses import dataclass

SHORTEST_S = 0.5  # shortest window reported for a call at the edge of a recording


@dataclass(frozen=True)
class EventSettings:
    """How a score becomes calls.

    threshold: lowest score of a call's peak, between 0 and 1. release: hysteresis: between two
    calls the score must fall below this fraction of the lower peak. min_distance_s: shortest time
    between the peaks of two calls. duration_s: length of the window that is reported for a call.
    """

    threshold: float = 0.5
    release: float = 0.5
    min_distance_s: float = 1.5
    duration_s: float = 3.0

    def __post_init__(self):
        if not (0 < self.threshold < 1 and 0 <= self.release < 1):
            raise ValueError(f"threshold must be in (0, 1) and release in [0, 1): {self}")
        if self.min_distance_s < 0 or self.duration_s <= 0:
            raise ValueError(f"min_distance_s must be at least 0, duration_s above 0: {self}")
