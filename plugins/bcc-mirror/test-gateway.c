/* test-gateway.c - a gateway in the test host, whose directory may fail. */
#include "plugins/bcc-mirror/test-gateway.h"

extern const PtnPlugin ptn_plugin_bcc_mirror, ptn_plugin_limits, ptn_plugin_picky;

#define CONFIG \
	"[level personal]\nbcc-mirror.most-copies = 1\n" \
	"[level standard]\nbcc-mirror.most-copies = 20\n" \
	"[plugin bcc-mirror]\nbounce-domain = bcc.example.net\nsecret = " SECRET "\n"

const char *
gateway_first(const char *text, size_t n)
{
	static char kept[200];

	(void)snprintf(kept, sizeof kept, "%.*s", (int)n, text != NULL ? text : "(none)");
	return kept;
}

/* ---- a directory that fails ---- */

bool gateway_is_away;
unsigned gateway_conflicts;

PtnStatus __real_directory_find(
	void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __wrap_directory_find(
	void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __real_directory_save(void *directory, void *entry, void *actor, int64_t deadline_us);
PtnStatus __wrap_directory_save(void *directory, void *entry, void *actor, int64_t deadline_us);

PtnStatus
__wrap_directory_find(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry)
{
	return gateway_is_away ? PTN_UNSURE : __real_directory_find(directory, kind, name, deadline_us, entry);
}

PtnStatus
__wrap_directory_save(void *directory, void *entry, void *actor, int64_t deadline_us)
{
	if (gateway_conflicts == 0)
		return __real_directory_save(directory, entry, actor, deadline_us);
	gateway_conflicts--;
	return PTN_TAKEN;
}

/* ---- a gateway with customer acme, its hosted domain, and another customer's ---- */

/* Refuses after us what is called "bad". */
static PtnVerdict
pick(PtnHook *h)
{
	if (g_strcmp0(ptn_header(h, "Subject", 0), "bad") == 0)
		return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "not this one");
	return PTN_NEXT;
}

static const PtnHookRow picky_hooks[] = { { PTN_MESSAGE, pick, PTN_INLINE }, { 0 } };

PTN_PLUGIN(picky) = { PTN_HEAD("picky"), .version = "1", .summary = "refuses one subject", .hooks = picky_hooks };

PtnTest *
gateway_new(const char *level, const char *bcc, const char *mirror)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_bcc_mirror, &ptn_plugin_limits,
		&ptn_plugin_picky, NULL };
	PtnTest *t = ptn_test_new_chain(plugins, CONFIG);

	ptn_test_entry(t, PTN_CUSTOMER, "acme", "level", level, "alert", "noc@acme.example", NULL);
	ptn_test_entry(t, PTN_CUSTOMER, "other", "primary", "it@other.example", NULL);
	ptn_test_entry(t, PTN_DOMAIN, "hosted.example", "customer", "acme", "mode", "hosted", NULL);
	ptn_test_entry(t, PTN_DOMAIN, "others.example", "customer", "other", "mode", "hosted", NULL);
	ptn_test_entry(t, PTN_DOMAIN, "held.example", "customer", "acme", "mode", "hold", NULL);
	ptn_test_entry(
		t, PTN_ACCOUNT, LOGIN, "password", "mypassword", "bcc-mirror.bcc", bcc, "bcc-mirror.mirror", mirror, NULL);
	ptn_test_connect(t, "192.0.2.1");
	ASSERT_STARTS(ptn_test_login(t, LOGIN, "mypassword"), "235");
	return t;
}

/* In a new session: the entries of an old one may have changed. */
void
gateway_submit(PtnTest *t)
{
	ptn_test_inbound(t, false);
	ptn_test_connect(t, "192.0.2.1");
	ASSERT_STARTS(ptn_test_login(t, LOGIN, "mypassword"), "235");
	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "friend@example.org", CONTENT), "250");
}

/* The place of the message to that recipient; dies without. */
size_t
gateway_place(PtnTest *t, const char *recipient)
{
	for (size_t i = 0; i < ptn_test_queued(t); i++)
		if (strcmp(ptn_test_queued_recipient(t, i, 0), recipient) == 0)
			return i;
	CU_FAIL_FATAL("there is no message to that recipient");
	return 0;
}

size_t
gateway_count(PtnTest *t, const char *recipient)
{
	size_t n = 0;

	for (size_t i = 0; i < ptn_test_queued(t); i++)
		n += strcmp(ptn_test_queued_recipient(t, i, 0), recipient) == 0;
	return n;
}

/* "bcc a@x used=yes|mirror …" of posternctl bcc-mirror show, without headers. */
const char *
gateway_shown(PtnTest *t)
{
	return ptn_test_command(t, "bcc-mirror", "show", LOGIN, NULL);
}

bool
gateway_says(const char *text, const char *part)
{
	return text != NULL && strstr(text, part) != NULL;
}

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &test_copies, &test_bounces, NULL };

	return unit_main(argc, argv, suites);
}
