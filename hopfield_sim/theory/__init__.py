"""What replica theory predicts, each theory in one file, each returning labelled arrays.

Nothing here imports the simulation: theory must be able to disagree with it.
Submodules are loaded on first use:
`from hopfield_sim import theory; theory.hopfield.retrieval(alpha, temperature)`.
"""

from importlib import import_module

__all__ = [
    "cliques",
    "continuation",
    "conventions",
    "decomposition",
    "dense",
    "dense_1rsb",
    "dense_glass",
    "diluted",
    "diluted_finite",
    "dreaming",
    "examples",
    "exponential",
    "gardner",
    "hopfield",
    "hopfield_1rsb",
    "labels",
    "little",
    "log_sum_exp",
    "log_sum_exp_cells",
    "log_sum_exp_finite",
    "log_sum_exp_thermal",
    "log_sum_relu",
    "low_activity",
    "modern_bounds",
    "modern_clusters",
    "modern_outlier",
    "modern_pair",
    "modern_states",
    "multitasking",
    "one_step",
    "projection",
    "quadrature",
    "softmax_one",
    "stored_set",
    "transient",
    "ultra_detection",
    "willshaw",
]


def __getattr__(name):
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return list(__all__)
