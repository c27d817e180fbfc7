"""`python -m coevoer_edge.conformance [BUNDLE]`: check this package's pipeline against a conformance kit.

In: a bundle, or nothing for the package's own kit. Out: a line for each kind of case; exit code 1 if a case fails.
"""

from pathlib import Path

import click

from coevoer_edge.conformance import conformance
from coevoer_edge.errors import CheckFailed
from coevoer_edge.terminal.console import JSON_OPTION, Command, print_json


@click.command(cls=Command, name="conformance")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(bundle: Path | None, as_json: bool, quiet: bool) -> None:
    """Check the Python pipeline against the conformance kit of BUNDLE.

    Without a bundle, the kit that comes with the package is used. docs/pipeline.md, section 9, describes the cases.
    """
    from coevoer_edge.conformance.kit import EXPECTED

    verdicts = conformance(bundle)
    rows = []
    for kind in EXPECTED:
        own = [verdict for verdict in verdicts if verdict.case.kind == kind]
        worst = max((share for verdict in own for share in verdict.worst.values()), default=0.0)
        passed = sum(not verdict.faults for verdict in own)
        rows.append({"kind": kind, "cases": len(own), "passed": passed, "worst_share_of_tolerance": worst})
        if not quiet:
            click.echo(
                f"{kind:8} {passed} of {len(own)} cases pass; the worst error is {worst:.2g} of the tolerance",
                err=as_json,
            )
    faults = [fault for verdict in verdicts for fault in verdict.faults]
    if as_json:
        print_json({"kinds": rows, "faults": faults})
    if faults:
        raise CheckFailed("\n".join(faults))


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.conformance")
