"""What tools/abuse prints of a run of abuse.py, and whether it is as it should be."""
import collections
import json

from abuse import FIRST_IDS, is_sanitized
from abuse_acts import ABUSERS
from abuse_limits import limits

FACTOR = 2            # by which the 99th percentile of an honest client may grow
LEAST_OF_RATE = 0.5   # of its stated rate that an abuser must reach
HONEST_PEERS = 2      # connections of honest clients


def percentile(values, percent):
    """The least value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class Judge:
    """`factor`: see FACTOR; `least`: see LEAST_OF_RATE."""

    def __init__(self, run, factor=FACTOR, least=LEAST_OF_RATE):
        self.run, self.factor, self.least = run, factor, least
        self.faults = list(run.faults)

    def table(self, head, rows):
        rows = [tuple(map(str, row)) for row in [head, *rows]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        print()

    # -- the abusers --

    def rate(self, name):
        acts = self.run.acts[name]
        return acts["acts"] / acts["seconds"]

    def print_abusers(self):
        rows = []
        for name in self.run.names:
            abuser = ABUSERS[name]
            replies = collections.Counter(self.run.acts[name]["replies"]).most_common(4)
            rows.append((name, abuser.held, "%g %s/s" % (abuser.rate, abuser.unit), "%.1f" % self.rate(name),
                         self.run.acts[name]["lost"], ", ".join("%s: %d" % reply for reply in replies)))
            if self.rate(name) < self.least * abuser.rate:
                self.faults.append("abuser %s reached %.1f of %g %s a second: the run proves little"
                                   % (name, self.rate(name), abuser.rate, abuser.unit))
        self.table(("abuser", "connections", "stated rate", "reached", "closed", "replies"), rows)

    # -- the daemon --

    def print_limits(self):
        connections = HONEST_PEERS + sum(ABUSERS[name].held for name in self.run.names)
        rows = []
        for limit in limits(connections, 1, (self.run.silence + self.run.seconds) / 60, is_sanitized()):
            highest = self.run.highest[limit.name]
            rows.append((limit.name, ("%d %s" % (limit.most, limit.unit)).strip(), "%.0f" % highest,
                         "ok" if highest <= limit.most else "exceeded", limit.why))
            if highest > limit.most:
                self.faults.append("%s: %.0f, and at most %d were stated" % (limit.name, highest, limit.most))
        self.table(("limit", "stated", "highest", "", "derived from"), rows)

    # -- the honest clients --

    def phases(self, kind):
        """The messages that began in each phase."""
        begin, abuse, end = self.run.times
        sent = self.run.sent[kind]
        return ([row for row in sent if begin <= row.begin < abuse],
                [row for row in sent if abuse <= row.begin < end])

    def slowest(self, sent):
        """The commands that were waited for in the slowest twentieth of them."""
        tail = sorted(sent, key=lambda row: -row.took)[:max(1, len(sent) // 20)]
        commands = collections.Counter(row.slowest for row in tail)
        return ", ".join("%s %d" % each for each in commands.most_common(3))

    def print_honest(self):
        rows = []
        for kind in FIRST_IDS:
            silent, abused = self.phases(kind)
            if not silent or not abused:
                self.faults.append("honest client %s sent nothing in one of the phases" % kind)
                continue
            p99 = [percentile([row.took for row in sent], 99) for sent in (silent, abused)]
            ratio = p99[1] / p99[0]
            for phase, sent in (("silent", silent), ("abuse", abused)):
                times = [row.took / 1e6 for row in sent]
                shown = ["%.1f" % percentile(times, each) for each in (50, 90, 99, 100)]
                rows.append((kind, phase, len(sent), *shown, "%.2f" % ratio if phase == "abuse" else "",
                             self.slowest(sent)))
            if ratio > self.factor:
                self.faults.append("p99 of honest client %s grew by a factor of %.2f; %g is allowed"
                                   % (kind, ratio, self.factor))
        self.table(("honest client", "phase", "messages", "p50 ms", "p90", "p99", "longest", "p99 grew by",
                    "what took longest in the slowest 5%"), rows)

    def judge_honest(self):
        arrived = self.run.arrived()
        for kind, rows in self.run.sent.items():
            refused = collections.Counter(row.said for row in rows if row.said != "250")
            for said, n in refused.items():
                self.faults.append("%d messages of honest client %s were not accepted: %s" % (n, kind, said))
            for row in rows:
                n = arrived.pop(row.number, 0)
                if row.said == "250" and n != 1:
                    self.faults.append("message %d of honest client %s arrived %d times" % (row.number, kind, n))
        if arrived:
            self.faults.append("%d messages arrived that nobody sent" % len(arrived))

    def judge_rest(self):
        """The honest account is as it was, and nobody reached our network."""
        if self.run.account.get("enabled") is False or self.run.complaints:
            self.faults.append("forged complaints counted: %s %s" % (self.run.account, self.run.complaints))
        if self.run.trap.connections:
            self.faults.append("%d connections to a private exchanger" % self.run.trap.connections)

    def judge(self):
        """Prints all of it; True: all is as it should be."""
        print("%d s silent, %d s of abuse, %s build; abusers in %s\n" % (
            self.run.silence, self.run.seconds, "ASan" if is_sanitized() else "plain", self.run.cage.about))
        self.print_abusers()
        self.print_limits()
        self.print_honest()
        self.judge_honest()
        self.judge_rest()
        refusals = {name: n for name, n in self.run.metrics.items() if name.startswith("limit.") and n}
        print("refused by budgets: %s" % json.dumps(refusals))
        for alarm in self.run.alarms:
            print("alarm: %s" % alarm)
        for fault in self.faults[:50]:
            print("FAULT: %s" % fault)
        print("failed" if self.faults else "all limits held")
        return not self.faults
