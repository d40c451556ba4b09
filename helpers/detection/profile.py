"""What must be known about an animal's call, in one record."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CallProfile:
    """Facts about one kind of call that alignment, scenes and training need.

    label: label of the clips that hold one call. rise_hz: (low, high), Hz; the landmark of a call
    is where the power in this band rises most. before_s, after_s: seconds around the landmark that
    alignment compares. least_before_s, least_after_s: a clip with less than this around the
    landmark, s, holds only a part of a call. counterexample: function (rng, call, *, landmark,
    frequencies) → sound that resembles a call and must not be counted.
    """

    label: str
    rise_hz: tuple
    before_s: float
    after_s: float
    least_before_s: float
    least_after_s: float
    counterexample: Callable
