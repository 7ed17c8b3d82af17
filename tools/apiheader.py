"""apiheader - plugin-api.h read into its parts, for tools/api-reference and tests/lint/abi.py.

This is no C parser: it knows the forms that the header uses, and says so where it meets another one."""
import re
from collections import namedtuple

# kind: section, comment, macro, opaque, enum, struct, type, function.  `note`: the comment behind it on its line.
# `members`: of enums and structs: Member, or Part(kind="comment").  `group`: parts between two blank lines have the same.
Part = namedtuple("Part", "kind name text note members group")
Member = namedtuple("Member", "name type note")
Token = namedtuple("Token", "kind text line end")


class Unknown(Exception):
    pass


def plain(comment):
    """The text of a comment on one line; blank lines part its paragraphs."""
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in comment[2:-2].split("\n")]
    return "\n".join(line.rstrip() for line in lines).strip()


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def tokens(text, separators):
    """Comments, lines of the preprocessor, and code up to a separator outside of brackets."""
    at, line, begun, depth, code = 0, 1, 0, 0, ""
    while at < len(text):
        rest = text[at:]
        match = re.match(r"/\*.*?\*/", rest, re.S)
        directive = re.match(r"#(?:[^\n\\]|\\.|\\\n)*", rest) if not code.strip() and depth == 0 else None
        if match and depth == 0 and not code.strip():
            yield Token("comment", match[0], line, line + match[0].count("\n"))
        elif directive and (at == 0 or text[at - 1] == "\n"):
            match = directive
            yield Token("directive", match[0], line, line + match[0].count("\n"))
        elif match:
            code += match[0]
        else:
            match = re.match(r".", rest, re.S)
            depth += (match[0] in "{(") - (match[0] in "})")
            if not code.strip():
                begun = line
            if match[0] in separators and depth == 0:
                yield Token("code", code.strip(), begun, line)
                code = ""
            else:
                code += match[0]
        line += match[0].count("\n")
        at += len(match[0])
    if without_comments(code).strip():
        yield Token("code", code.strip(), begun, line)


def with_notes(stream):
    """(token, note): a comment on the line where code ended belongs to all code of that line."""
    result = []
    for token in stream:
        if token.kind != "comment" or not result or result[-1][0].kind != "code" or result[-1][0].end != token.line:
            result.append([token, ""])
            continue
        for entry in reversed(result):
            if entry[0].end != token.line:
                break
            entry[1] = one_line(plain(token.text))
    return result


def declarators(code):
    """`const char *a, *b` as (name, type); a pointer to a function as one."""
    code = one_line(without_comments(code))
    match = re.match(r"(.*)\(\*(\w+)\)\((.*)\)$", code)
    if match:
        return [(match[2], "%s (*)(%s)" % (match[1].strip(), parameter_types(match[3])))]
    match = re.match(r"((?:const )?\w+)\s*(.*)$", code)
    result = []
    for declarator in match[2].split(","):
        name = re.search(r"(\w+)$", declarator.strip())
        if not name:
            raise Unknown(code)
        result.append((name[1], one_line("%s %s" % (match[1], declarator.strip()[:-len(name[1])]))))
    return result


def parameter_types(text):
    """Types alone: the name of a parameter is nobody's business."""
    types = []
    for parameter in text.split(","):
        parameter = one_line(parameter)
        match = re.match(r"(.*[ *])(\w+)$", parameter)
        named = match and match[2] not in ("char", "int", "void", "unsigned", "const")
        types.append(match[1].strip() if named else parameter)
    return ", ".join(types)


def enum_members(body):
    for token, note in with_notes(tokens(body, ",")):
        if token.kind == "comment":
            yield Part("comment", "", plain(token.text), "", (), 0)
        elif token.text:
            yield Member(re.match(r"\w+", token.text)[0], "", note)


def struct_members(body):
    for token, note in with_notes(tokens(body, ";")):
        if token.kind == "comment":
            yield Part("comment", "", plain(token.text), "", (), 0)
        else:
            for name, kind in declarators(token.text):
                yield Member(name, kind, note)


def declaration(code, note, group):
    """A part of one declaration."""
    match = re.match(r"(?:typedef )?(enum|struct)\s*\{(.*)\}\s*(\w*)$", code, re.S)
    if match:
        members = tuple((enum_members if match[1] == "enum" else struct_members)(match[2]))
        if "\n" in code and note and members[-1].name and not members[-1].note:  # it stands on the last line
            members, note = members[:-1] + (members[-1]._replace(note=note),), ""
        return Part(match[1], match[3], code, note, members, group)
    code = one_line(without_comments(code))
    match = re.match(r"typedef struct (\w+) \1$", code)
    if match:
        return Part("opaque", match[1], code, note, (), group)
    match = re.match(r"(?:typedef )?([\w ]+?[ *]+(?:const \*)?)(\w+)\((.*?)\)((?: PTN_\w+(?:\([^)]*\))?)*)$", code)
    if not match:
        raise Unknown(code)
    kind = "type" if code.startswith("typedef") else "function"
    shown = re.sub(r"( PTN_[A-Z_]+(\([^)]*\))?)+$", "", code)
    return Part(kind, match[2], shown, note, (("%s (%s)" % (match[1].strip(), parameter_types(match[3]))),), group)


def parts(text):
    """All of the header, in its order; the first is the comment on top."""
    blank = {number for number, line in enumerate(text.split("\n"), 1) if not line.strip()}
    text = re.sub(r'(?m)^#ifdef __cplusplus\n.*?^#endif$', lambda match: "\n" * match[0].count("\n"), text, flags=re.S)
    result, group, last = [], 0, 0
    for token, note in with_notes(tokens(text, ";")):
        group += any(number in blank for number in range(last + 1, token.line))
        last = token.end
        section = re.match(r"/\* -+ (.*?) -+ \*/$", token.text)
        macro = re.match(r"#define (\w+)(\([^)]*\))?\s+(.*)$", token.text, re.S)
        if section:
            result.append(Part("section", "", section[1], "", (), group))
        elif token.kind == "comment":
            result.append(Part("comment", "", plain(token.text), "", (), group))
        elif macro:
            comment = re.search(r"/\*.*\*/", macro[3], re.S)
            value = one_line(without_comments(macro[3]).replace("\\\n", " "))
            result.append(Part("macro", macro[1] + (macro[2] or ""), value, plain(comment[0]) if comment else "", (), group))
        elif token.kind == "code":
            result.append(declaration(token.text, note, group))
    return result


def version(text):
    """(major, minor)"""
    return tuple(int(re.search(r"^#define PTN_API_%s (\d+)" % name, text, re.M)[1]) for name in ("MAJOR", "MINOR"))
