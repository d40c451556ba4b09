"""Sound files: read them, find their faults, make sounds comparable."""

import lazy_loader

# Modules are loaded at first use, so that importing this package is quick.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["quality"],
    submod_attrs={
        "advice": ["seconds"],
        "formats": ["AudioError", "info"],
        "monitor": ["Monitor"],
        "reading": ["fix_length", "load", "load_frames", "mono", "reblock", "stream"],
        "conditioning": ["same_loudness", "segments"],
    },
)
