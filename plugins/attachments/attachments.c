/* attachments - refuses messages with files of certain names or types, in nested parts and in archives. */
#include "plugin-api.h"

#include <string.h>

#include "plugins/attachments/names.h"
#include "plugins/attachments/rules.h"
#include "plugins/mime/limit.h"

typedef struct {
	GBytes *packed; /* the rules, as the parser gets them */
	InspectRules rules;
} Attachments;

/* ---- in the parser ---- */

/* Rules are the same from call to call, until the configuration changes. */
typedef struct {
	GBytes *packed;
	InspectRules rules;
} ParserState;

static bool
parser_start(void **state)
{
	mime_start();
	*state = g_new0(ParserState, 1);
	return true;
}

static bool
parser_has_rules(ParserState *state, const void *parameters, size_t size)
{
	g_autoptr(GBytes) now = g_bytes_new(parameters, size);

	if (state->packed != NULL && g_bytes_equal(state->packed, now))
		return true;
	rules_clear(&state->rules);
	g_clear_pointer(&state->packed, g_bytes_unref);
	if (!rules_unpack(&state->rules, parameters, size))
		return false;
	state->packed = g_steal_pointer(&now);
	return true;
}

static void
parse(PtnParse *call, void *state, const void *parameters, size_t parameters_size, const char *octets, size_t size)
{
	ParserState *parser = state;
	Finding finding;

	if (!parser_has_rules(parser, parameters, parameters_size))
		return;
	(void)inspect(&finding, octets, size, &parser->rules, MIME_LIBRARY);
	finding_pack(&finding, call);
	g_free(finding.name);
}

/* ---- in the daemon ---- */

/* False: the parser did not answer, and the hook fails by itself, or what it answered makes no sense. */
static bool
find(PtnHook *h, const char *content, size_t size, Finding *finding)
{
	const Attachments *attachments = ptn_instance(h);
	const char *answer;
	size_t answer_size;

	if (inspect(finding, content, size, &attachments->rules, MIME_PLAIN))
		return true;
	answer = ptn_parse(h, g_bytes_get_data(attachments->packed, NULL), g_bytes_get_size(attachments->packed),
		content, size, &answer_size);
	if (answer == NULL)
		return false;
	ptn_count(h, "parsed", 1);
	if (finding_unpack(finding, answer, answer_size))
		return true;
	(void)ptn_fail(h, "its parser's answer makes no sense");
	return false;
}

static PtnVerdict
check_message(PtnHook *h)
{
	static const char *const whys[FOUND_WHYS] = { [FOUND_KIND] = "files of this kind are not accepted",
		[FOUND_UNLISTED] = "its files cannot be listed",
		[FOUND_ENCRYPTED] = "encrypted archives are not accepted" };
	g_autofree char *name = NULL;
	Finding finding;
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);

	if (content == NULL)
		return PTN_NEXT;
	if (!find(h, content, size, &finding))
		return PTN_FAILED;
	name = finding.name;
	if (name != NULL) {
		ptn_count(h, "refused", 1);
		return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "Message contains %s (%s)", name, whys[finding.why]);
	}
	if (finding.is_unlisted) {
		ptn_count(h, "unlisted", 1);
		ptn_log(h, PTN_INFO, "an archive in the message could not be looked into");
	}
	return finding.is_cut ? limit_judge(h, "more parts or files than can be checked") : PTN_NEXT;
}

static PtnVerdict
start(PtnHook *h)
{
	Attachments *attachments = ptn_instance(h);
	gconstpointer octets;
	gsize size;

	mime_start_plain();
	attachments->packed = rules_pack(h);
	octets = g_bytes_get_data(attachments->packed, &size);
	return rules_unpack(&attachments->rules, octets, size) ? PTN_NEXT : ptn_fail(h, "its rules make no sense");
}

static PtnVerdict
stop(PtnHook *h)
{
	Attachments *attachments = ptn_instance(h);

	rules_clear(&attachments->rules);
	g_bytes_unref(attachments->packed);
	return PTN_NEXT;
}

#define NAMES \
	"*.bat *.chm *.cmd *.com *.cpl *.exe *.hta *.jar *.js *.jse *.lnk *.msi *.msp *.pif *.ps1 *.reg *.scf *.scr " \
	"*.sct *.vb *.vbe *.vbs *.wsc *.wsf *.wsh"
#define TYPES \
	"application/hta application/x-dosexec application/x-ms-installer application/x-ms-shortcut " \
	"application/x-msdos-program application/x-msdownload application/x-msi"

static const char *const actions[] = { "pass", "reject", NULL };

static const PtnOption options[] = {
	{ "names", PTN_TEXT | PTN_LIST, PTN_IN_SERVER, NAMES, "patterns of names of files that are refused" },
	{ "types", PTN_TEXT | PTN_LIST, PTN_IN_SERVER, TYPES, "patterns of types that are refused" },
	{ "archives", PTN_BOOL, PTN_IN_SERVER, "yes", "names in archives count, too" },
	{ "encrypted", PTN_CHOICE, PTN_IN_SERVER, "pass", "what to do with archives that are encrypted", 0, 0,
		actions },
	{ "unlisted", PTN_CHOICE, PTN_IN_SERVER, "pass", "what to do with archives that cannot be listed", 0, 0,
		actions },
	{ "most-entries", PTN_NUMBER, PTN_IN_SERVER, "10000", "files of an archive that are looked at", 1, 100000 },
	{ "most-archive", PTN_SIZE, PTN_IN_SERVER, "200M", "size of an archive that is looked into", 1024, 512 << 20 },
	{ "most-parts", PTN_NUMBER, PTN_IN_SERVER, "1000", "parts of a message that are looked at", 1, 10000 },
	{ "most-depth", PTN_NUMBER, PTN_IN_SERVER, "20", "parts within parts that are looked at", 1, MIME_DEPTH_MAX },
	{ "on-limit", PTN_CHOICE, PTN_IN_SERVER, "refuse", "what to do with a message that is beyond a limit", 0, 0,
		limit_actions },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MESSAGE, check_message, PTN_HEAVY },
	{ 0 },
};

PTN_PLUGIN(attachments) = {
	PTN_HEAD("attachments"),
	.version = "1",
	.summary = "refuses files of certain names and types",
	.options = options,
	.hooks = hooks,
	.instance_size = sizeof(Attachments),
	.start = start,
	.stop = stop,
	.has_on = true,
	.parser_start = parser_start,
	.parse = parse,
};
