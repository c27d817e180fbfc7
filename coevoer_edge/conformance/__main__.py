"""`python -m coevoer_edge.conformance [BUNDLE]`: hold this package's pipeline against a conformance kit.

In: a bundle, or nothing for the package's own kit. Out: a line for each kind of case; exit code 1 where one fails.
"""

from pathlib import Path

import click

from coevoer_edge.conformance import conformance
from coevoer_edge.errors import CheckFailed
from coevoer_edge.terminal.console import Command


@click.command(cls=Command)
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
def main(bundle: Path | None) -> None:
    """Check the kit of BUNDLE; without one, the kit that comes with the package."""
    from coevoer_edge.conformance.kit import EXPECTED

    verdicts = conformance(bundle)
    for kind in EXPECTED:
        own = [verdict for verdict in verdicts if verdict.case.kind == kind]
        worst = max((share for verdict in own for share in verdict.worst.values()), default=0.0)
        passed = sum(not verdict.faults for verdict in own)
        click.echo(f"{kind:8} {passed} of {len(own)} cases, worst error {worst:.2g} of what is allowed")
    faults = [fault for verdict in verdicts for fault in verdict.faults]
    if faults:
        raise CheckFailed("\n".join(faults))


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.conformance")
