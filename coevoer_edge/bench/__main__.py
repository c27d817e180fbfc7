"""`python -m coevoer_edge.bench`, the same as `coevoer-edge bench`."""

from coevoer_edge.bench import command

if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.bench")
