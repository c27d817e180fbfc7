"""A bundle: the folder that an export writes and an app embeds.

In: a folder. Out: `Bundle`. The other modules contain the manifest's types and write the body file, the model card and
tensor files.
"""

from coevoer_edge.bundle.bundle import CARD, GOLDEN, MANIFEST, SUMS, Bundle, finish, refuse_existing, reserving

__all__ = ["CARD", "GOLDEN", "MANIFEST", "SUMS", "Bundle", "finish", "refuse_existing", "reserving"]
