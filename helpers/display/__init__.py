"""Figures, widgets and reports."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["detection_plots", "plots", "report", "widgets"]
)
