"""From sound to the numbers that a model sees, with a cache."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cache", "descriptors"],
    submod_attrs={
        "frontend": ["Frontend", "extract", "from_db", "to_db"],
        "inputs": ["ClipInput", "extract_frames"],
        "survey": ["survey_clips"],
        "yamnet": ["COUNTERPARTS", "EmbeddingError", "Yamnet", "counterparts", "find_yamnet"],
    },
)
