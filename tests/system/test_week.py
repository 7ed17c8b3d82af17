"""The first week of an installed Postern; see week.py.  The last of the tests that use the booted machine: it changes much."""
from week import Week


def test_the_first_week(world, tmp_path):
    """Y-01 what happens in a week is seen by the monitor, and each acknowledged message arrives once."""
    week = Week(world, tmp_path)
    try:
        week.replay()
    finally:
        week.close()
