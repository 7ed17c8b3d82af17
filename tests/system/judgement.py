"""What became of each recipient of mixed load, and whether that may be; see mixed.py.

Each recipient of a message that was acknowledged arrives or is reported as failed, with the body that was sent.  Twice
arrives (or is reported) only what a next hop accepted less than WINDOW before a kill, as results are recorded that much later
at most.  In a storm what was accepted while results could not be written may arrive twice, too, after the daemon was ended: not
more than UNWRITTEN in a burst of faults.  All times are those of CLOCK_MONOTONIC, in ns."""
import bisect
import collections
import json
import sys

WINDOW = 200_000_000   # ns; more on a machine whose threads wait for a processor
UNWRITTEN = 500        # results that may be unwritten
HEALS = 2_000_000_000  # ns behind a burst of faults until results are written as ever
KILL, STOP = "kill", "stop"
SHOWN = 20             # of each kind of finding

End = collections.namedtuple("End", "kind begin end")        # of the daemon: from the signal to the end of its process
Burst = collections.namedtuple("Burst", "kind begin end")    # of faults: "dead": nothing could be written
Sent = collections.namedtuple("Sent", "verdict time crc size recipients copies")
Taken = collections.namedtuple("Taken", "time crc size")


class Judgement:
    """`ends`: in order; `alarms`: their texts; `left`: messages that stayed in the queue."""

    def __init__(self, ends, alarms=(), left=0, window=WINDOW):
        self.window = window
        self.ends, self.alarms, self.left, self.bursts = ends, list(alarms), left, []
        self.ends_over = [end.end for end in ends]
        self.sent, self.arrived, self.reported = {}, collections.defaultdict(list), collections.defaultdict(list)
        self.refused, self.abandoned = set(), []
        self.findings = collections.defaultdict(list)  # kind: lines
        self.figures = {}
        self.longest, self.in_burst = 0, collections.Counter()
        self.refused_may_arrive = False  # what could not be synced, and was answered with 451, may be there after a restart
        self.refused_arrived = set()

    # -- reading --

    def read_sent(self, path, copies):
        """A record of smtp-load; `copies`: recipients of each of its messages besides its own."""
        for line in path.read_text().splitlines():
            verdict, number, time, crc, size, *recipients = line.split()
            self.sent[int(number)] = Sent(verdict, int(time), crc, int(size), recipients, copies)

    def read_taken(self, path):
        """A record of smtp-sink."""
        for line in path.read_text().splitlines():
            what, number, recipient, time, *body = line.split()
            if what == "accepted":
                self.arrived[int(number), recipient].append(Taken(int(time), body[0], int(body[1])))
            elif what == "failed":
                self.reported[recipient].append(int(time))
            elif what == "refused":
                self.refused.add(recipient)
            else:
                self.abandoned.append((int(number), recipient, int(time)))

    # -- judging --

    def find(self, kind, number, recipient, *more):
        self.findings[kind].append("message %s, <%s>%s" % (number, recipient, "".join(", " + text for text in more)))

    def arrivals(self):
        """What arrived was sent, to this recipient, and as it was."""
        for (number, recipient), taken in self.arrived.items():
            sent = self.sent.get(number)
            if sent is None or recipient not in sent.recipients and recipient not in sent.copies:
                self.find("invented", number, recipient, "it was never sent")
            elif sent.verdict == "incomplete":
                self.find("invented", number, recipient, "the client left before the final dot")
            elif sent.verdict == "refused":
                self.refused_arrived.add(number)
                if not self.refused_may_arrive:
                    self.find("refused_but_arrived", number, recipient, "answered at %s" % clock(sent.time))
            else:
                for each in taken:
                    if (each.crc, each.size) != (sent.crc, sent.size):
                        self.find("changed", number, recipient, "%d octets, CRC %s, of %d octets, CRC %s" % (
                            each.size, each.crc, sent.size, sent.crc))

    def has_trace(self, number, sent):
        return any((number, recipient) in self.arrived or recipient in self.refused for recipient in (*sent.recipients, *sent.copies))

    def losses(self):
        """A message that nobody acknowledged may be missing, but only the whole of it."""
        for number, sent in self.sent.items():
            if sent.verdict != "acknowledged" and not (sent.verdict == "unanswered" and self.has_trace(number, sent)):
                continue
            for recipient in (*sent.recipients, *sent.copies):
                if (number, recipient) in self.arrived:
                    if recipient in self.reported and recipient not in sent.copies:
                        self.find("reported_but_arrived", number, recipient)
                elif recipient not in self.reported:
                    self.find("lost", number, recipient, "%s at %s" % (sent.verdict, clock(sent.time)),
                              "it was refused and not reported" if recipient in self.refused else "no trace of it")
                elif recipient not in self.refused:
                    self.find("reported_without_refusal", number, recipient)

    def next_end(self, time):
        """The end of the daemon that something of that time did not outlive."""
        place = bisect.bisect_left(self.ends_over, time)
        return self.ends[place] if place < len(self.ends) else None

    def last_end(self, time):
        """The last end that had begun by then."""
        place = bisect.bisect([end.begin for end in self.ends], time)
        return self.ends[place - 1] if place > 0 else None

    def burst_at(self, time):
        return next((i for i, burst in enumerate(self.bursts) if burst.begin - self.window <= time <= burst.end + HEALS), None)

    def twice(self, what, number, recipient, first, second):
        """Judges one pair of times."""
        end = self.next_end(first)
        has_ended = end is not None and end.end <= second
        self.figures["doubled"] = self.figures.get("doubled", 0) + 1
        if has_ended and end.kind == KILL and end.begin - first <= self.window:
            self.longest = max(self.longest, end.begin - first)
            return
        burst = self.burst_at(first)
        if has_ended and burst is not None:
            self.in_burst[burst] += 1
            return
        why = "no end of the daemon between them" if not has_ended else "%.0f ms before a %s at %s" % (
            max(0, end.begin - first) / 1e6, end.kind, clock(end.begin))
        self.find("doubled_outside", number, recipient, "%s at %s and %s" % (what, clock(first), clock(second)), why)

    def doubles(self):
        for (number, recipient), taken in self.arrived.items():
            times = sorted(each.time for each in taken)
            for first, second in zip(times, times[1:]):
                self.twice("arrived", number, recipient, first, second)
        for recipient, times in self.reported.items():
            times = sorted(times)
            for first, second in zip(times, times[1:]):
                self.twice("reported", "-", recipient, first, second)

    def stops(self):
        """An orderly stop waits for the reply to what was sent: a next hop has taken it, with or without a reply."""
        for number, recipient, time in self.abandoned:
            end = self.last_end(time)
            if end is not None and end.kind == STOP and time <= end.end + self.window:
                self.find("abandoned", number, recipient, "the reply was due when posternd left, at %s" % clock(time))

    def storm(self):
        """While the disk was dead, not a single result can have been written."""
        times = sorted(each.time for taken in self.arrived.values() for each in taken)
        most = 0
        for i, burst in enumerate(self.bursts):
            if burst.kind == "dead":
                n = bisect.bisect(times, burst.end) - bisect.bisect(times, burst.begin)
                most = max(most, n)
                if n > UNWRITTEN:
                    self.findings["accepted_unwritten"].append("%d recipients while the disk was dead, %s to %s" % (
                        n, clock(burst.begin), clock(burst.end)))
            if self.in_burst[i] > UNWRITTEN:
                self.findings["doubled_outside"].append("%d recipients of the burst %s to %s" % (
                    self.in_burst[i], clock(burst.begin), clock(burst.end)))
        self.figures.update(bursts=len(self.bursts), doubled_of_bursts=sum(self.in_burst.values()),
                            most_doubled_of_a_burst=max(self.in_burst.values(), default=0), most_accepted_unwritten=most)

    def judge(self, bursts=()):
        """True: nothing lost, changed, invented, or doubled beyond what may be."""
        self.bursts = list(bursts)
        self.figures.setdefault("doubled", 0)
        self.arrivals()
        self.losses()
        self.doubles()
        if self.bursts:
            self.storm()
        else:
            self.stops()
        if self.left:
            self.findings["left"].append("%d messages stayed in the queue" % self.left)
        return not self.findings

    # -- printing --

    def counts(self):
        verdicts = collections.Counter(sent.verdict for sent in self.sent.values())
        acknowledged = [sent for sent in self.sent.values() if sent.verdict == "acknowledged"]
        stops = [end for end in self.ends if end.kind == STOP]
        kinds = ("lost", "changed", "doubled_outside", "abandoned", "invented", "reported_but_arrived", "reported_without_refusal")
        return {
            "kills": len(self.ends) - len(stops), "stops": len(stops), "acknowledged": len(acknowledged),
            "unanswered": verdicts["unanswered"], "incomplete": verdicts["incomplete"], "not_taken": verdicts["refused"],
            "recipients": sum(len(sent.recipients) + len(sent.copies) for sent in acknowledged),
            "largest": max((sent.size for sent in acknowledged), default=0), "arrived": len(self.arrived),
            "refused": len(self.refused), "reported": len(self.reported), "doubled": self.figures["doubled"],
            **{kind: len(self.findings[kind]) for kind in kinds}, "longest_ms": round(self.longest / 1e6, 1),
            "refused_but_arrived": len(self.refused_arrived), "left_in_queue": self.left,
            **{name: value for name, value in self.figures.items() if name != "doubled"}, "alarms": self.alarms}

    def print(self):
        """The figures as a line of JSON, and the findings on stderr."""
        print(json.dumps(self.counts()), flush=True)
        for kind, lines in self.findings.items():
            for line in lines[:SHOWN]:
                print("%s: %s" % (kind, line), file=sys.stderr)
            if len(lines) > SHOWN:
                print("%s: and %d more" % (kind, len(lines) - SHOWN), file=sys.stderr)


def clock(time):
    return "%.6f" % (time / 1e9)
