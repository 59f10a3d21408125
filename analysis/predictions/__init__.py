"""Figures of the theories, one file a theory: `draw(group) -> Figure`.

group: the `xr.DataTree` of that theory, as `experiments.predictions` writes it; nothing is
computed here. What the files have in common is in `style`.
"""
