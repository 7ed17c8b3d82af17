"""What standing and blocking should have counted: a simple reference, for test_counters_model.py.

It knows nothing of stores, nodes and restarts: whatever fails meanwhile, in the end these are the numbers."""
from collections import Counter, defaultdict

DAY = 86400
LEAST, MOST_UNDELIVERABLE, MOST_ERRORS, FAILURES = 12, 30, 50, 3


class Account:
    """One account; its places are days within a beginning."""

    def __init__(self):
        self.beginning, self.is_enabled, self.holds = 0, True, False
        self.places = defaultdict(Counter)
        self.touched = set()     # places that something spoke against since they were judged

    def place(self, now):
        return self.beginning, int(now // DAY)

    def accept(self, now, recipients):
        place = self.places[self.place(now)]
        place["messages"] += 1
        place["recipients"] += recipients
        return self.place(now)

    def count(self, place, what):
        """One event against the account, in the place of its message."""
        if self.is_enabled and place[0] == self.beginning:
            self.places[place][what] += 1
            self.touched.add(place)

    def judge(self):
        """What the plugin does when it knows everything."""
        for place in sorted(self.touched):
            counted = self.places[place]
            attempts = counted["messages"] + counted["errors"]
            if self.is_enabled and (
                    (attempts >= LEAST and 100 * counted["errors"] > MOST_ERRORS * attempts) or
                    (counted["recipients"] >= LEAST and
                     100 * counted["undeliverable"] > MOST_UNDELIVERABLE * counted["recipients"])):
                self.is_enabled = False
                counted.clear()
        self.touched.clear()

    def restart(self):
        """What waits to be judged is in memory alone; the next event is judged with all that was counted."""
        self.touched.clear()

    def enable(self):
        if not self.is_enabled:
            self.beginning += 1
        self.is_enabled = True

    def shown(self, now):
        """As "standing show" has them."""
        counted = self.places[self.place(now)]
        return {"errors": "%d of %d attempts" % (counted["errors"], counted["messages"] + counted["errors"]),
                "undeliverable mail": "%d of %d recipients" % (counted["undeliverable"], counted["recipients"])}


class Client:
    """One address that fails to log in; the window is a day."""

    def __init__(self):
        self.counted, self.alone, self.offences, self.owed = Counter(), 0, 0, 0
        self.blocked_until, self.is_known, self.is_block_alone = 0, False, False

    def fail(self, now, is_alone):
        """`is_alone`: the store does not answer, and the node goes by what it saw itself since."""
        self.is_known = True
        self.counted[int(now // DAY)] += 1
        self.alone = self.alone + 1 if is_alone else 0
        if (self.alone if is_alone else self.counted[int(now // DAY)]) >= FAILURES:
            self.offences += 1
            self.owed += is_alone
            self.is_block_alone = is_alone
            self.counted.clear()
            self.alone = 0
            self.blocked_until = now + 300

    def succeed(self, now):
        if self.is_known:
            self.counted[int(now // DAY)] = 0
        self.is_known = False

    def heal(self):
        """The store has all of it again; the next failure is judged by that."""
        self.alone = self.owed = 0
        self.is_block_alone = False

    def restart(self):
        """Offences and blocks that the store does not know of are in memory alone."""
        if self.is_block_alone:
            self.blocked_until = 0
        self.is_known = False
        self.offences -= self.owed
        self.owed = 0
