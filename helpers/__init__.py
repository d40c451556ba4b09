"""Helpers of the notebook series: from sound files to trained models and readable reports.

    data → audio → features → models / training → evaluation / detection → display

Each package is imported by name (``from helpers import audio``); this one itself loads nothing.
"""
