"""Statistical mechanics of associative memories: simulation and replica theory, side by side.

Public names, each loaded on first use.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = (
    "attention",
    "dynamics",
    "examples",
    "images",
    "langevin",
    "learning",
    "models",
    "observables",
    "patterns",
    "randomness",
    "statistics",
    "tap",
    "tempering",
    "theory",
)
_NAMES = {
    "Hopfield": "models.hopfield",
    "Coupled": "models.coupled",
    "Dense": "models.dense",
    "LogSumExp": "models.modern",
    "Entmax": "models.modern",
    "OutlierEfficient": "models.modern",
    "Epanechnikov": "models.modern",
    "Polynomial": "models.modern",
    "Universal": "models.universal",
    "DistanceEnergy": "models.layered",
    "Stack": "models.layered",
    "TwoLayer": "models.two_layer",
    "number_of_patterns": "models.loads",
    "Glauber": "dynamics",
    "Metropolis": "dynamics",
    "ZeroTemperature": "dynamics",
    "little_energy": "dynamics",
    "updated": "dynamics",
    "Schedule": "simulation",
    "simulate": "simulation",
    "Checkpoint": "checkpoint",
    "annealed": "tempering",
    "branches": "tempering",
    "parallel_tempering": "tempering",
    "Sweep": "sweep",
    "opened": "store",
    "status": "store",
    "damaged": "archive",
    "merge": "archive",
    "repack": "archive",
}

__all__ = [*_MODULES, *_NAMES]


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
