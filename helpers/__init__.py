"""Helpers of the notebook series: from sound files to trained models and readable reports.

    data → audio → features → models / training → metrics / events → report / plots

Each module is imported by name (``from helpers import audio``); this package itself loads nothing.
"""

__version__ = "0.1.0"
