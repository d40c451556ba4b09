"""Metrics with intervals, calibration, verification, attribution."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["attribution"],
    submod_attrs={
        "metrics": [
            "bootstrap_interval", "centres", "class_scores", "clip_scores", "cohens_d",
            "count_scores", "event_scores", "match_events", "paired_test",
        ],
        "verification": ["cosine_similarity", "equal_error_rate", "verification_trials"],
        "calibration": [
            "calibration_error", "reliability", "temperature", "temperature_scaled",
            "weighted_mean",
        ],
    },
)  # fmt: skip
