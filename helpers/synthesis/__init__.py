"""Synthetic sounds, and data sets in the layouts of the real ones with an exact answer key."""

import lazy_loader

# Modules are loaded at first use, so that importing this package is quick.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["environmental", "speech", "wildlife"],
    submod_attrs={
        "generators": ["GENERATORS", "Generator", "MANIFEST", "default_root", "write_sample"],
    },
)
