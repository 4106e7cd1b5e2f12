"""What every test runs under: strict jax, checked annotations, one thread a worker, warnings as errors."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault(
    "XLA_FLAGS",
    (  # tests compile longer than they compute; XLA aborts at a flag that it does not know, hence the version
        "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
        "--xla_cpu_parallel_codegen_split_count=1 "
        if version("jaxlib").startswith("0.10.")
        else ""
    )
    + "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",  # no dashes: XLA reads nothing behind it
)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # numpy and scikit-learn: two workers share two cores
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))  # for `typechecking` and `oracles`

import jax
from jaxtyping import install_import_hook

install_import_hook("seqjax", "typechecking.checked")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)

ALLOWED_WARNINGS = (
    "ignore:fetch_arrow_table:DeprecationWarning",  # Ibis calls a method that DuckDB renamed
)
"""Filters such as "ignore:message:Category", each with the reason beside it."""


def pytest_configure(config):
    """Makes every other warning an error."""
    for line in ("error", *ALLOWED_WARNINGS):
        config.addinivalue_line("filterwarnings", line)
