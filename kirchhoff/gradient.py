"""First-order changes of the transfer matrix, forward and adjoint.

    dT[i, j] / dG[k, l] = a[i, k, l] b[j, k, l],

a being the voltage across crosspoint (k, l) for 1 V on row i alone, b its negative for 1 V at
column j's ground alone (Tellegen's theorem, by way of the adjoint network: S. W. Director and
R. A. Rohrer, "The generalized adjoint network and network sensitivities", IEEE Trans. Circuit
Theory 16, 1969). Both maps apply this tensor without ever building it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kirchhoff._arguments import conductances, ohms_of, same_shape
from kirchhoff.wire import Wire


def transfer_change(
    crosspoint_siemens: ArrayLike, change_siemens: ArrayLike, wire: Wire
) -> NDArray[np.float64]:
    """First-order change (rows, columns) of the transfer matrix, in siemens: the forward map.

    dT[i, j] = sum over k, l of dT[i, j] / dG[k, l] change[k, l], for conductances
    crosspoint_siemens (rows, columns), >= 0, that change by change_siemens (rows, columns), of
    any sign. Without wire it is change_siemens itself.

    Raises ValueError naming the argument that has a wrong shape, or holds anything but finite
    numbers, or a negative conductance.
    """
    from kirchhoff import _derivatives

    G = conductances("crosspoint_siemens", crosspoint_siemens)
    dG = same_shape("change_siemens", change_siemens, G.shape)
    return _derivatives.forward(G, dG, ohms_of(wire))


def transfer_gradient(
    crosspoint_siemens: ArrayLike, weight: ArrayLike, wire: Wire
) -> NDArray[np.float64]:
    """Gradient (rows, columns) of sum(weight * transfer matrix) by G: the adjoint map.

    gradient[k, l] = sum over i, j of weight[i, j] dT[i, j] / dG[k, l], in the unit of weight
    (rows, columns), since the derivatives have none; crosspoint_siemens (rows, columns) are the
    conductances, >= 0. Of a function f of the transfer matrix, weight = df/dT gives df/dG.

    Raises ValueError naming the argument that has a wrong shape, or holds anything but finite
    numbers, or a negative conductance.
    """
    from kirchhoff import _derivatives

    G = conductances("crosspoint_siemens", crosspoint_siemens)
    M = same_shape("weight", weight, G.shape)
    return _derivatives.backward(G, M, ohms_of(wire))
