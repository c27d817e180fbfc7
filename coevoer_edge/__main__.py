"""`python -m coevoer_edge`, the same as `coevoer-edge`."""

from coevoer_edge.cli import main

if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge")
