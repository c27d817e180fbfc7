"""A bundle: the folder that an export writes and an app embeds.

In: a folder. Out: `Bundle` with its `Manifest`; the body file, the model card and the tensor files in it.
"""

from coevoer_edge.bundle.bundle import CARD, GOLDEN, MANIFEST, SUMS, Bundle, refuse_existing, writing
from coevoer_edge.bundle.manifest import Manifest

__all__ = ["CARD", "GOLDEN", "MANIFEST", "SUMS", "Bundle", "Manifest", "refuse_existing", "writing"]
