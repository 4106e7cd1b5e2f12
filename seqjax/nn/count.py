"""How large a model is and how much it computes, from shapes alone: nothing is allocated and nothing runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr
from jaxtyping import PyTree

from seqjax.nn import native


def parameters(params: PyTree) -> int:
    """Number of weights in all arrays of a tree; shapes (`jax.ShapeDtypeStruct`) will do.

    >>> parameters({"kernel": jax.ShapeDtypeStruct((10**6, 10**6), "float32")})
    1000000000000
    """
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def multiply_adds(function: Callable, *arguments: PyTree) -> int:
    """Number of multiply-adds in the matrix products and convolutions of one call; arguments may be shapes.

    Everything else counts as nothing: sums, products by element, activations, gathers.

        product of [batch, M, K] and [batch, K, N]          batch M N K
        convolution                                         outputs x kernel places x input channels of a group
        scan                                                length x body
        recurrent layers that `nn.native` runs              as the scan that they stand for; the gradient thrice
        cond, switch                                        the most expensive branch
        jit, remat, custom_jvp, custom_vjp, other calls     what is called, once

    The program is counted as it is written: zeros of a convolution's padding or dilation are multiplied too, and what
    the compiler would drop is there. Under `shard_map` it is the work of one device. Raises ValueError for products in
    a while loop, whose number of turns is unknown, and for calls of code that is not JAX's.

    >>> shape = jax.ShapeDtypeStruct
    >>> multiply_adds(jax.numpy.dot, shape((2, 3), "float32"), shape((3, 5), "float32"))
    30
    """
    return _count(jax.make_jaxpr(function)(*arguments).jaxpr)


def _count(program: Jaxpr) -> int:
    total = 0
    for equation in program.eqns:
        inner = [_count(part) for part in _parts(equation.params)]
        match equation.primitive.name:
            case "dot_general":
                total += _product(equation)
            case "conv_general_dilated":
                total += _convolution(equation)
            case "scan":
                total += equation.params["length"] * sum(inner)
            case "cond":
                total += max(inner)
            case "ffi_call":
                operands = [operand.aval.shape for operand in equation.invars]
                result = equation.outvars[0].aval.shape
                total += native.multiply_adds(equation.params["target_name"], operands, result)
            case "while" if any(inner):
                raise ValueError(
                    f"a while loop holds {sum(inner)} multiply-adds a turn, and nothing tells how many turns it takes: "
                    "count its body, or use scan or a fori_loop with bounds known beforehand"
                )
            case _:
                total += sum(inner)
    return total


def _parts(params: dict) -> Iterator[Jaxpr]:
    """The programs that an equation calls."""
    for value in params.values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, ClosedJaxpr):
                yield part.jaxpr
            elif isinstance(part, Jaxpr):
                yield part


def _product(equation: jax.extend.core.JaxprEqn) -> int:
    """Every output is a sum over the contracted axes."""
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)


def _convolution(equation: jax.extend.core.JaxprEqn) -> int:
    """Every output is a sum over the places of the kernel and the input channels of its group."""
    kernel = equation.invars[1].aval.shape
    outputs = equation.params["dimension_numbers"].rhs_spec[0]  # the kernel's axis of output channels
    each = math.prod(size for axis, size in enumerate(kernel) if axis != outputs)
    return math.prod(equation.outvars[0].aval.shape) * each
