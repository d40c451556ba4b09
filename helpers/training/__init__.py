"""Batches and the training loop."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["CropBatches", "MixedBatches", "SceneBatches", "clip_weights"],
        "loop": ["compile_network", "run_epochs"],
    },
)
