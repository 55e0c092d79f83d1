"""A strict stand-in for CuPy: NumPy arrays that refuse what CuPy's refuse, and count what costs on a device.

It has what `lenet` calls on arrays and nothing else, with CuPy's own names and keywords; `test_contract.py` looks each
of them up in the real package. Where CuPy takes more than is needed here, the stand-in is the stricter of the two.
"""

from tests.device.standin.array import Counts, DeviceArray
from tests.device.standin.module import UFUNCS, OutOfMemoryError, StandIn

__all__ = ["UFUNCS", "Counts", "DeviceArray", "OutOfMemoryError", "StandIn"]
