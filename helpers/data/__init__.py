"""Data sets: where they are, what they hold, and splits by source recording."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["download", "layouts", "validate"],
    submod_attrs={
        "locate": ["DataNotFoundError", "Dataset", "find", "resolve"],
        "clips": [
            "CLIP_COLUMNS",
            "answer_key",
            "clip_table",
            "listed",
            "need_all_labels",
            "recordings",
            "search_sounds",
            "sounds_below",
        ],
        "registry": ["DATASETS", "DatasetInfo"],
        "splits": ["group_folds", "hold_out", "leaked_share", "random_round", "rounds"],
        "folders": ["DataError"],
    },
)
