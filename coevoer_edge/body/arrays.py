"""Names of numpy array types by element type; shapes are given where they are used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
FloatArray = NDArray[np.floating]
"""An array of either precision."""
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
AnyArray = NDArray[Any]
