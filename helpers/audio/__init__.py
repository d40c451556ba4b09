"""Sound files: reading, what is wrong with them, conditioning, quality."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["quality"],
    submod_attrs={
        "blocks": ["reblock"],
        "formats": ["AudioError", "info", "seconds"],
        "reading": ["fix_length", "load", "load_frames", "mono", "stream", "write"],
        "conditioning": ["normalise", "same_loudness", "segments", "trim_silence"],
    },
)
