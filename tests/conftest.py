"""What every test runs under: strict jax, checked annotations, one thread a worker, warnings as errors."""

import os
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # numpy and scikit-learn: two workers share two cores
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))  # for `typechecking` and `oracles`

import jax
import pytest
from jaxtyping import install_import_hook

install_import_hook("seqjax", "typechecking.checked")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)

ALLOWED_WARNINGS = {
    # what may warn: why
}


def pytest_collection_modifyitems(items):
    """Warnings are errors, but for the allowed ones; filters that come later in the list take precedence."""
    for item in items:
        for allowed in ALLOWED_WARNINGS:
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{allowed}"), append=False)
        item.add_marker(pytest.mark.filterwarnings("error"), append=False)
