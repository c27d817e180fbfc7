"""Captured output: nested, in threads, and shown where a block fails."""

import logging
import os
import sys
import threading
import warnings
from contextlib import suppress

from coevoer_edge.terminal.quiet import quietly


def say(text: str) -> None:
    """As native code does."""
    os.write(2, text.encode())


def test_output_is_captured_and_comes_back(capfd):
    with quietly():
        say("inside")
        warnings.warn("inside", stacklevel=1)
        assert not logging.getLogger("x").isEnabledFor(logging.WARNING)
    say("outside")
    assert capfd.readouterr().err == "outside"
    assert logging.getLogger("x").isEnabledFor(logging.WARNING)


def test_a_failing_block_shows_what_it_captured(capfd):
    with suppress(ZeroDivisionError), quietly():
        say("reason")
        raise ZeroDivisionError
    assert capfd.readouterr().err == "reason"


def test_only_its_own_part_in_a_nested_block(capfd):
    with quietly():
        say("outer")
        with suppress(ZeroDivisionError), quietly():
            say("inner")
            raise ZeroDivisionError
    assert capfd.readouterr().err == "inner"


def test_blocks_that_overlap_in_threads_leave_nothing_silenced(capfd):
    """The one that begins first ends first, as when two estimators are opened at once."""
    first_inside, second_inside, first_left = (threading.Event() for _ in range(3))

    def first() -> None:
        with quietly():
            first_inside.set()
            second_inside.wait(10)
        first_left.set()

    def second() -> None:
        first_inside.wait(10)
        with quietly():
            second_inside.set()
            first_left.wait(10)
            say("still inside")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    print("afterwards", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "afterwards\n"
    assert logging.root.manager.disable == 0
