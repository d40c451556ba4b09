"""What has to be known of an animal's call, in one record."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CallProfile:
    """The facts about one kind of call that alignment, scenes and training need.

    label: of the clips that hold one call. rise_hz: (low, high), Hz; where the power in this band
    rises most is the call's landmark. before_s, after_s: seconds of sound around the landmark that
    are compared when calls are aligned. least_before_s, least_after_s: seconds that a call has at
    least; a clip with less of it holds only a part. counterexample: function (rng, call, *,
    landmark, frequencies) → sound that resembles the call and must not be counted.
    """

    label: str
    rise_hz: tuple
    before_s: float
    after_s: float
    least_before_s: float
    least_after_s: float
    counterexample: Callable
