#!/usr/bin/python3
"""test-names - whether names.py sees each way in which the source makes a name, and both kinds of difference."""
import names

SOURCE = """
static void
look(Metrics *metrics, const char *path)
{
	g_autofree char *alarm = path != NULL ? g_strdup_printf("tls.%s", path) : g_strdup("tls");

	metrics_alarm(metrics,
		alarm, NULL);
	metrics_alarm(metrics, "a.literal", "text");
	log_event(is_good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, is_good ? "good again" : "not good: why?", NULL);
}

static void
put(Work *work, const char *event)
{
	log_event(LOG_LEVEL_INFO, event, "queue", work->id, NULL);
	metrics_add(work->metrics, work->counter, 1);
}

static void
run(Work *work)
{
	work->counter = g_strconcat(work->name, ".runs", NULL);
	put(work, "run ended");
	session_event(work->session, "noise");
}

static const BudgetRefusal many = { "crowd", 421, "4.7.0", "too many" };
"""
PLUGIN = """
static const char *
name_of(PtnHook *h, const char *list)
{
	return ptn_format(h, "%s.health", list);
}

static void
tell(PtnHook *h)
{
	ptn_alarm(h, name_of(h, "x"), NULL);
	ptn_count(h, "told", 1);
	ptn_log(h, PTN_WARNING, "list %s is \\"away\\"", name);
	ptn_log(h, PTN_INFO, "not listed");
}
"""
PAGE = """
# ALARMS

`tls`, `tls.<NAME>`
:   meaning

`a.literal`
:   meaning

`dns.<NAME>.health`
:   meaning

# LOG EVENTS

| `good again` | info |
| `not good: why?` | error |
| `run ended` | info |
| `list <NAME> is "away"` | warning |

# COUNTERS

| `<WORK>.runs` | runs |
| `event.noise` | noise |
| `limit.crowd` | crowd |
| `plugin.dns.told` | told |
"""


def compare(page=PAGE, source=SOURCE):
    return [what for _, _, what in names.compare([("core/a/a.c", source.split("\n")), ("plugins/dns/dns.c", PLUGIN.split("\n"))], page)]


assert compare() == [], compare()
for entry in ("tls.<NAME>", "a.literal", "dns.<NAME>.health", "good again", "not good: why?", "run ended", "<WORK>.runs", "event.noise",
              "limit.crowd", "plugin.dns.told", 'list <NAME> is "away"'):
    missing = compare(PAGE.replace(f"`{entry}`", "`other`"))
    assert len(missing) == 2 and "is not in the manual page" in missing[0] + missing[1] and "which the source lacks" in missing[0] + missing[1], missing
assert "cannot be followed" in compare(source=SOURCE + "\nvoid\nf(Metrics *m)\n{\n\tmetrics_add(m, other(), 1);\n}\n")[0]
print("the names of the source are found, and what a page lacks or has too many of")
