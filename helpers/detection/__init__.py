"""From scenes and scores to events and counts."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "capuchin": ["CAPUCHINBIRD"],
        "profile": ["CallProfile"],
        "counting": ["count_calls", "count_runs", "density", "part_count", "score_part", "warm_up"],
        "events": ["find_events"],
        "scenes": ["HELD_OUT", "SceneMixer", "SceneSettings"],
        "alignment": ["align", "correlate", "level_invariant", "resemblance"],
        "labels": ["write_labels"],
        "cross_fit": ["CrossFit", "fit_detector", "fit_folds"],
        "thresholds": [
            "ScoredScene", "choose_threshold", "corrected_total", "held_out_scenes", "margins",
            "threshold_curve", "threshold_errors",
        ],
    },
)  # fmt: skip
