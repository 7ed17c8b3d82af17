/* attachments - refuses messages with files of certain names or types, in nested parts and in archives. */
#include "plugin-api.h"

#include <string.h>

#include "plugins/attachments/inspect.h"
#include "plugins/attachments/names.h"
#include "plugins/mime/limit.h"

typedef struct {
	InspectRules rules;
} Attachments;

static PtnVerdict
check_message(PtnHook *h)
{
	const Attachments *attachments = ptn_instance(h);
	g_autofree char *name = NULL;
	Finding finding;
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);

	if (content == NULL)
		return PTN_NEXT;
	inspect(&finding, content, size, &attachments->rules);
	name = finding.name;
	if (name != NULL) {
		ptn_count(h, "refused", 1);
		return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "Message contains %s (%s)", name, finding.why);
	}
	if (finding.is_unlisted) {
		ptn_count(h, "unlisted", 1);
		ptn_log(h, PTN_INFO, "an archive in the message could not be looked into");
	}
	return finding.is_cut ? limit_judge(h, "more parts than can be checked") : PTN_NEXT;
}

static PtnVerdict
start(PtnHook *h)
{
	Attachments *attachments = ptn_instance(h);

	mime_start();
	attachments->rules = (InspectRules){ .names = patterns_new(ptn_option_list(h, "names")),
		.types = patterns_new(ptn_option_list(h, "types")),
		.looks_into_archives = ptn_option_number(h, "archives") != 0,
		.refuses_encrypted = ptn_option_number(h, "encrypted") == 1,
		.refuses_unlisted = ptn_option_number(h, "unlisted") == 1,
		.most_entries = (unsigned)ptn_option_number(h, "most-entries"),
		.most_archive = (size_t)ptn_option_number(h, "most-archive"),
		.mime = { .most_parts = (unsigned)ptn_option_number(h, "most-parts"),
			.most_depth = (unsigned)ptn_option_number(h, "most-depth") } };
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Attachments *attachments = ptn_instance(h);

	g_ptr_array_unref(attachments->rules.names);
	g_ptr_array_unref(attachments->rules.types);
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
	{ "most-entries", PTN_NUMBER, PTN_IN_SERVER, "1000", "files of an archive that are looked at", 1, 100000 },
	{ "most-archive", PTN_SIZE, PTN_IN_SERVER, "16M", "size of an archive that is looked into", 1024, 512 << 20 },
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
};
