"""CoEvoer Edge: a person's upper body, hands and face as SMPL-X parameters, on a phone or in a browser.

Two chains, each module importing only what stands before it:

- running:  image -> crop -> network -> SMPL-X parameters -> body
- building: checkpoint -> exported program -> quantized program -> lowered file -> bundle -> runtime -> parity
"""

__version__ = "0.2.0"
