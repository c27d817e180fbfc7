"""The paper's tables as printed: published figures, none of them measured here.

In: nothing. Out: `TABLE_1` to `TABLE_4`. Source: CoEvoer (AAAI-26), tables 1 to 4; MPVPE and PA-MPVPE in mm.
"""

from dataclasses import dataclass

Triple = tuple[float | None, float | None, float | None]
"""All, hand, face; mm. None if the paper gives no value."""

PAPER = "CoEvoer (AAAI-26)"


@dataclass(frozen=True)
class PublishedRow:
    """One line of a table."""

    name: str
    mpvpe_mm: Triple
    pa_mpvpe_mm: Triple


TABLE_1 = (
    PublishedRow("ExPose", (171.5, 83.7, 45.1), (66.9, 12.0, 3.9)),
    PublishedRow("PIXIE", (168.4, 55.6, 45.2), (61.7, 12.2, 4.2)),
    PublishedRow("H4W", (104.1, 45.7, 27.0), (44.8, 8.9, 2.8)),
    PublishedRow("OSX", (81.9, 41.5, 21.2), (42.2, 8.6, 2.0)),
    PublishedRow("AiOS", (58.6, 39.0, 19.6), (32.5, 7.3, 2.8)),
    PublishedRow("SMPLer-X", (57.4, 40.2, 21.6), (31.9, 10.3, 2.8)),
    PublishedRow("CoEvoer", (51.6, 27.8, 16.2), (26.5, 7.1, 1.8)),
)
"""On UBody."""

TABLE_2 = (
    PublishedRow("ExPose", (219.8, 115.4, 103.5), (88.0, 12.1, 4.8)),
    PublishedRow("FrankMocap", (218.0, 95.2, 105.4), (90.6, 11.2, 4.9)),
    PublishedRow("PIXIE", (203.0, 89.9, 95.4), (82.7, 12.8, 5.4)),
    PublishedRow("H4W", (183.9, 72.8, 81.6), (73.2, 9.7, 4.7)),
    PublishedRow("OSX", (168.6, 70.6, 77.2), (69.4, 11.5, 4.8)),
    PublishedRow("CoEvoer", (160.8, 68.7, 75.7), (65.9, 10.1, 4.7)),
)
"""On AGORA."""

TABLE_3 = (
    PublishedRow("ExPose", (77.1, 51.6, 35.0), (54.5, 12.8, 5.8)),
    PublishedRow("FrankMocap", (107.6, 42.8, None), (57.5, 12.6, None)),
    PublishedRow("PIXIE", (89.2, 42.8, 32.7), (55.0, 11.1, 4.6)),
    PublishedRow("H4W", (76.8, 39.8, 26.1), (50.3, 10.8, 5.8)),
    PublishedRow("OSX", (70.8, 53.7, 26.4), (48.7, 15.9, 6.0)),
    PublishedRow("CoEvoer", (66.3, 48.9, 25.0), (46.4, 14.8, 5.8)),
)
"""On EHF."""

VARIANT_1 = "Variant1-w/o C.E.E."
VARIANT_2 = "Variant2-w/o P.F.E."
FULL = "CoEvoer"

TABLE_4 = (
    PublishedRow(VARIANT_1, (66.5, 36.9, 23.8), (33.0, 8.9, 2.1)),
    PublishedRow(VARIANT_2, (54.4, 29.7, 17.7), (27.5, 9.4, 2.1)),
    PublishedRow(FULL, (51.6, 27.8, 16.2), (26.5, 7.1, 1.8)),
)
"""The ablation on UBody. C.E.E. is the Collaborative Evolution Enhancer, P.F.E. Portrait Foreground Extraction."""
