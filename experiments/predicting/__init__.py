"""The standard slices and lines of each theory, one file a theory, for `experiments.predictions`.

Each file offers

    compute(points) -> dict[str, xr.Dataset]

from paths within the group of its theory ("lines/spinodal", "slices", ...) to what the library
returns there, with about `points` points along a line: only this folder chooses where the theory
is looked at. The Dataset called "critical" holds single numbers (variables without dimensions, or
along one, such as `interaction`), each with its long_name: these make the printed table.
`analysis/predictions` has a file of the same name, which draws the group.
"""
