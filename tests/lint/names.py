"""names - the alarms, log events and counters of the source, as doc/postern-alarms.7.md lists them.

A name is followed from the call that uses it to the texts it is made of: through variables, parameters, members and
functions of the same folder.  What is put in for a "%" is the variable part, "*" here and "<NAME>" in the manual page."""
import os
import re

CALL = r"(?<![A-Za-z0-9_])%s\("
ALARM, EVENT, COUNTER = "alarm", "log event", "counter"
# function: what it makes, the place of the name among its arguments
MAKERS = {"metrics_alarm": (ALARM, 1), "log_event": (EVENT, 1), "log_from_signal": (EVENT, 0), "metrics_add": (COUNTER, 1),
          "metrics_set": (COUNTER, 1), "ptn_alarm": (ALARM, 1), "ptn_alarm_until": (ALARM, 1), "metrics_alarm_until": (ALARM, 1), "ptn_count": (COUNTER, 1), "ptn_log": (EVENT, 2), "session_event": (COUNTER, 1)}
WRAPPERS = {"*", "event.*", "limit.*", "*.*", "plugin.*.*"}  # what their callers put in is a name of its own
DEFINITIONS = re.compile(r"(?:metrics|log|ptn)_[a-z_]+\((?:Metrics \*|LogLevel |const char \*|PtnHook \*)")
SHARED_BY = {"mime": ["*"], "list-health": ["dnsbl", "uribl"]}  # folders that are no plugins: those whose names they use
DEPTH = 6  # steps from the call to the text


def arguments_at(text, start):
    """The arguments of the call whose "(" is before `start`, as texts; also what follows "=" or "return", up to its ";"."""
    depth, found, begin, i = 1, [], start, start
    while depth > 0 and i < len(text):
        quoted = re.match(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', text[i:])
        if quoted:
            i += quoted.end()
            continue
        depth += (text[i] in "([{") - (text[i] in ")]}")
        depth = 0 if depth == 1 and text[i] == ";" else depth
        if depth == 0 or (text[i] == "," and depth == 1):
            found.append(text[begin:i].strip())
            begin = i + 1
        i += 1
    return found


def as_name(literals):
    """Adjoining literals as one name."""
    whole = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', literals))
    return re.sub(r"\*+", "*", re.sub(r"%[0-9.*+-]*[a-zA-Z]+", "*", whole)).replace('\\"', '"')


class Source:
    """All files of core/ and plugins/, tests left out; `unknown`: (path, line, expression) that could not be followed."""

    def __init__(self, sources):
        self.files = {path: re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match.group(0)), "\n".join(lines), flags=re.S)
                      for path, lines in sources if not os.path.basename(path).startswith("test-")}
        self.unknown = []

    def function_at(self, path, position):
        """(name, parameters, start of the body) of the function around `position`."""
        heads = list(re.finditer(r"^([a-z_0-9A-Z]+)\(([^{};]*)\)\n\{\n", self.files[path][:position], re.M))
        if not heads:
            return None, [], 0
        last = heads[-1]
        return last.group(1), [part.strip() for part in last.group(2).split(",")], last.end()

    def near(self, path):
        """Files of the same folder."""
        return [other for other in self.files if os.path.dirname(other) == os.path.dirname(path)]

    def of_variable(self, name, path, position, depth):
        function, parameters, start = self.function_at(path, position)
        body = self.files[path][start:position]
        places = [(start + match.end(), body[match.end():])
                  for match in re.finditer(rf"(?<![A-Za-z0-9_>.])\b{name} =(?!=)\s*", body)]
        found = [each for at, text in places for each in self.resolve(self.declared(text), path, at, depth)]
        if found:
            return found
        for i, parameter in enumerate(parameters):
            if re.search(rf"\b{name}$", parameter):
                return self.of_parameter(function, i, path, depth)
        return []

    @staticmethod
    def declared(text):
        """The first of `text` up to a "," that is of no call: "a = f(b, c), d = e"."""
        return arguments_at(text, 0)[0]

    def of_parameter(self, function, i, path, depth):
        found = []
        for other in self.files:
            if not other.startswith(os.path.dirname(path)):
                continue
            for match in re.finditer(CALL % function, self.files[other]):
                if self.files[other].rfind("\n", 0, match.start()) + 1 == match.start():
                    continue  # its own head
                given = arguments_at(self.files[other], match.end())
                if i < len(given) and "char" not in given[i]:
                    found += self.resolve(given[i], other, match.start(), depth)
        return found

    def of_member(self, member, path, depth):
        found = []
        for other in self.near(path):
            for match in re.finditer(rf"(?:->|\.){member} = ", self.files[other]):
                text = self.declared(self.files[other][match.end():])
                found += self.resolve(text, other, match.start(), depth)
        return found

    def of_function(self, function, path, depth):
        found = []
        for other in self.near(path):
            match = re.search(rf"^{function}\([^;{{}}]*\)\n\{{\n(.*?)^\}}", self.files[other], re.M | re.S)
            for text in re.finditer(r"return ", match.group(1)) if match else ():
                returned = self.declared(match.group(1)[text.end():])
                found += self.resolve(returned, other, match.start(1) + text.start(), depth)
        return found

    def resolve(self, text, path, position, depth=0):
        """The names that the expression may be; empty: not to be followed."""
        text = text.strip()
        if depth > DEPTH or text == "NULL":
            return []
        if "?" in re.sub(r'"(?:\\.|[^"\\])*"', "", text) and not re.match(r"[a-z_]+\(", text):
            sides = re.split(r"\?|(?<!:):(?!:)", re.sub(r'"((?:\\.|[^"\\])*)"', lambda m: '"' + m.group(1).replace(":", "\1").replace("?", "\2") + '"', text))[1:]
            return [name for side in sides for name in self.resolve(side.replace("\1", ":").replace("\2", "?"), path, position, depth + 1)]
        if re.fullmatch(r'(?:"(?:\\.|[^"\\])*"|PRI[a-z0-9]+|G_G[A-Z0-9_]+|\s)+', text):
            return [as_name(text)]
        call = re.match(r"([a-z_0-9]+)\(", text)
        if call:
            return self.of_call(call.group(1), arguments_at(text, call.end()), path, position, depth)
        member = re.fullmatch(r"[a-z_]+(?:\[[a-z]\])?(?:->|\.)([a-z_]+)", text)
        if member:
            return self.of_member(member.group(1), path, depth + 1)
        return self.of_variable(text, path, position, depth + 1) if re.fullmatch(r"[a-z_0-9]+", text) else []

    def of_call(self, function, given, path, position, depth):
        if function in ("g_strdup_printf", "ptn_format", "g_strdup", "g_strdelimit"):
            return self.resolve(given[1 if function == "ptn_format" else 0], path, position, depth + 1)
        if function == "g_strconcat":
            return ["".join(as_name(part) if part.startswith('"') else "*" for part in given if part != "NULL")]
        return self.of_function(function, path, depth + 1)

    def full(self, maker, name, path):
        """As the daemon says it: what a plugin names has the plugin's name before it."""
        folder = os.path.basename(os.path.dirname(path))
        plugins = SHARED_BY.get(folder, [folder])
        if maker == "session_event":
            return [f"event.{name}"]
        if maker in ("ptn_alarm", "ptn_alarm_until"):
            return [f"{plugin}.{name}" for plugin in plugins]
        return [f"plugin.{plugin}.{name}" for plugin in plugins] if maker == "ptn_count" else [name]

    def names(self):
        """{kind: {name: (path, line)}}"""
        found = {kind: {} for kind in (ALARM, EVENT, COUNTER)}
        for path, text in self.files.items():
            for maker, (kind, place) in MAKERS.items():
                for match in re.finditer(CALL % maker, text):
                    given = arguments_at(text, match.end())
                    line = text.count("\n", 0, match.start()) + 1
                    if path.endswith(".h") or place >= len(given) or self.is_definition(text, match):
                        continue
                    if maker == "ptn_log" and given[1] != "PTN_WARNING":
                        continue
                    names = self.resolve(given[place], path, match.start())
                    if names == ["*"] and place + 1 < len(given):
                        names = self.resolve(given[place + 1], path, match.start())
                    if not names:
                        self.unknown.append((path, line, given[place]))
                    for name in names:
                        for full in self.full(maker, name, path) if name not in WRAPPERS else ():
                            found[kind].setdefault(full, (path, line))
            for match in re.finditer(r'BudgetRefusal \w+ = \{\s*"([^"]+)"', text):
                found[COUNTER].setdefault(f"limit.{match.group(1)}", (path, text.count("\n", 0, match.start()) + 1))
        return found

    @staticmethod
    def is_definition(text, match):
        return text.rfind("\n", 0, match.start()) + 1 == match.start() or bool(DEFINITIONS.match(text, match.start()))


CHAPTERS = {"ALARMS": ALARM, "LOG EVENTS": EVENT, "COUNTERS": COUNTER}


def names_of_page(text):
    """{kind: {name}} of the manual page: what stands at the start of an entry or row."""
    found = {kind: set() for kind in CHAPTERS.values()}
    for title, chapter in re.findall(r"^# ([A-Z ]+)\n(.*?)(?=^# |\Z)", text, re.M | re.S):
        for entry in re.findall(r"^(?:\| )?(`[^`]+`(?:, `[^`]+`)*)(?= \||$)", chapter, re.M) if title in CHAPTERS else ():
            found[CHAPTERS[title]].update(re.sub(r"<[A-Z]+>", "*", name) for name in re.findall(r"`([^`]+)`", entry))
    return found


def compare(sources, page):
    """(path, line, what is wrong) for each difference between the source and the page; path None: of the page."""
    source, shown, wrong = Source(sources), names_of_page(page), []
    for kind, used in source.names().items():
        wrong += [(path, line, f'{kind} "{name}" is not in the manual page postern-alarms')
                  for name, (path, line) in sorted(used.items()) if name not in shown[kind]]
        wrong += [(None, 1, f'has the {kind} "{name}", which the source lacks') for name in sorted(shown[kind] - used.keys())]
    return wrong + [(path, line, f"a name that cannot be followed to its text: {text}") for path, line, text in source.unknown]
