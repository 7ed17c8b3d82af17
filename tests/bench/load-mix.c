/* load-mix.c - mixed load: a message of random size to one to five recipients in several
 * domains, and clients that leave at a random moment.  Its record has a line per message:
 *
 *     VERDICT ID TIME CRC SIZE RECIPIENT…
 *
 * VERDICT is "acknowledged" (250 after the final dot), "refused" (any other reply), "unanswered"
 * (sent to the final dot, no reply) or "incomplete" (cut off before it).  TIME is monotonic, in
 * ns; CRC (CRC-32C) and SIZE are those of the body, without the header.  Each recipient has an
 * address of its own, and its first letters tell smtp-sink --by-name what to answer: "gone" 550,
 * "later" 450 now and then, "r" 250. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crc32c.h"
#include "load.h"

enum {
	MIX_LINE = 78,
	MIX_POOL_LINES = 150000,
	MIX_RECIPIENTS_MAX = 5,
	MIX_AFTER_DOT_NS = 30000000
};

#define MIX_BEHIND_NS \
	INT64_C(200000000) /* of --rate: what was missed before that is not made up for */

struct LoadMix {
	GRand *luck;
	char **domains;
	double *weights; /* ascending sums, the last one is that of all */
	GString *pool;   /* random lines of MIX_LINE octets and CRLF, from which bodies are cut */
	int64_t next_ns;
};

/* ---- options ---- */

static void
mix_read_domains(LoadMix *mix, const char *text)
{
	double sum = 0;

	mix->domains = g_strsplit(text, ",", -1);
	mix->weights = g_new0(double, g_strv_length(mix->domains) + 1);
	for (guint i = 0; mix->domains[i] != NULL; i++) {
		char *colon = strchr(mix->domains[i], ':');
		const double weight = colon != NULL ? g_ascii_strtod(colon + 1, NULL) : 1;

		if (colon != NULL)
			*colon = '\0';
		if (weight <= 0 || mix->domains[i][0] == '\0')
			bench_fail("--mix wants DOMAIN:WEIGHT,…");
		mix->weights[i] = sum += weight;
	}
	if (sum <= 0)
		bench_fail("--mix wants DOMAIN:WEIGHT,…");
}

/* Some lines begin with a dot. */
static GString *
mix_make_pool(GRand *luck)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/.";
	GString *pool = g_string_sized_new(MIX_POOL_LINES * (MIX_LINE + 2));

	for (int i = 0; i < MIX_POOL_LINES; i++) {
		for (int j = 0; j < MIX_LINE; j++)
			g_string_append_c(pool, letters[g_rand_int_range(luck, 0, (gint32)strlen(letters))]);
		g_string_append(pool, "\r\n");
	}
	return pool;
}

void
load_mix_start(Load *load)
{
	const LoadOptions *options = &load->options;
	LoadMix *mix = g_new0(LoadMix, 1);

	if (options->size_bytes < 1 || options->largest_bytes < options->size_bytes ||
		options->largest_bytes > MIX_POOL_LINES / 2 * MIX_LINE)
		bench_fail("--largest is not below --size, and at most %d", MIX_POOL_LINES / 2 * MIX_LINE);
	mix->luck = g_rand_new_with_seed((guint32)options->seed);
	mix_read_domains(mix, options->mix);
	mix->pool = mix_make_pool(mix->luck);
	load->mix = mix;
}

/* ---- what is drawn ---- */

static bool
mix_happens(const LoadMix *mix, int percent)
{
	return g_rand_int_range(mix->luck, 0, 100) < percent;
}

static const char *
mix_domain(const LoadMix *mix)
{
	const guint n = g_strv_length(mix->domains);
	const double at = g_rand_double_range(mix->luck, 0, mix->weights[n - 1]);
	guint i = 0;

	while (i + 1 < n && mix->weights[i] <= at)
		i++;
	return mix->domains[i];
}

static void
mix_draw_recipients(const Load *load, LoadSession *session)
{
	const LoadMix *mix = load->mix;
	const int n = g_rand_int_range(mix->luck, 1, MIX_RECIPIENTS_MAX + 1);

	g_ptr_array_set_size(session->recipients, 0);
	for (int i = 1; i <= n; i++) {
		const char *fate = mix_happens(mix, load->options.gone_percent)    ? "gone"
						   : mix_happens(mix, load->options.later_percent) ? "later"
																		   : "r";

		g_ptr_array_add(session->recipients,
			g_strdup_printf("%s%" G_GINT64_FORMAT ".%d@%s", fate, session->id, i, mix_domain(mix)));
	}
}

/* The cube makes most of them small: half of them are below 1 KiB if the range is 0.3 KiB to 5
 * MiB. */
static size_t
mix_draw_size(const Load *load)
{
	const double least = (double)load->options.size_bytes,
				 most = (double)load->options.largest_bytes;
	const double at = g_rand_double(load->mix->luck);

	return (size_t)(least * pow(most / least, at * at * at));
}

static void
mix_draw_cut(const Load *load, LoadSession *session)
{
	static const LoadCut kinds[] = { CUT_MAIL, CUT_RCPT, CUT_DATA, CUT_CONTENT, CUT_CONTENT,
		CUT_AFTER_DOT, CUT_AFTER_DOT };

	session->cut = CUT_NEVER;
	session->due_ns = 0;
	if (mix_happens(load->mix, load->options.cut_percent))
		session->cut = kinds[g_rand_int_range(load->mix->luck, 0, G_N_ELEMENTS(kinds))];
}

void
load_mix_draw(Load *load, LoadSession *session)
{
	mix_draw_recipients(load, session);
	mix_draw_cut(load, session);
	session->is_whole = session->is_refused = false;
	session->body_crc = 0;
	session->body_size = 0;
}

bool
load_mix_must_wait(Load *load, LoadSession *session)
{
	LoadMix *mix = load->mix;
	const int64_t now = bench_now_ns();

	if (load->options.rate <= 0)
		return false;
	mix->next_ns = MAX(mix->next_ns, now - MIX_BEHIND_NS) + (int64_t)(1e9 / load->options.rate);
	session->due_ns = mix->next_ns;
	return session->due_ns > now;
}

/* ---- content ---- */

/* A line of the body, with its CRLF; dots are stuffed on the way, and not counted. */
static void
mix_put_line(LoadSession *session, const char *line, size_t size)
{
	session->body_crc = crc32c(session->body_crc, line, size);
	session->body_size += (gint64)size;
	if (line[0] == '.')
		g_string_append_c(session->out, '.');
	g_string_append_len(session->out, line, (gssize)size);
}

/* The first line belongs to the message alone, and the others begin somewhere in the pool, so
 * that no two bodies are alike. */
void
load_mix_content(Load *load, LoadSession *session)
{
	const LoadMix *mix = load->mix;
	const size_t size = mix_draw_size(load);
	const char *line = mix->pool->str +
					   (size_t)g_rand_int_range(mix->luck, 0, MIX_POOL_LINES / 2) * (MIX_LINE + 2);
	const size_t before = session->out->len;
	g_autofree char *first = NULL;

	g_string_append_printf(session->out,
		"From: <%s>\r\nTo: <%s>\r\nSubject: mixed\r\n"
		"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%" G_GINT64_FORMAT
		".%" G_GINT64_FORMAT "@%s>\r\n"
		"X-Bench-Id: %" G_GINT64_FORMAT "\r\n\r\n",
		load->options.sender, (const char *)session->recipients->pdata[0], load->started_ns,
		session->id, load->options.helo, session->id);
	first = g_strdup_printf("message %" G_GINT64_FORMAT "\r\n", session->id);
	mix_put_line(session, first, strlen(first));
	for (; session->out->len - before < size; line += MIX_LINE + 2)
		mix_put_line(session, line, MIX_LINE + 2);
	g_string_append(session->out, ".\r\n");
	if (session->cut == CUT_CONTENT)
		g_string_truncate(
			session->out, (gsize)g_rand_double_range(mix->luck, 0, (double)session->out->len - 3));
	session->stage = STAGE_CONTENT;
}

/* ---- leaving ---- */

/* All that was to be sent is sent: is this the moment to leave? */
bool
load_mix_cuts(Load *load, LoadSession *session)
{
	const LoadStage stage = session->stage;

	if (stage == STAGE_CONTENT && session->cut != CUT_CONTENT)
		session->is_whole = true;
	if (session->cut == CUT_AFTER_DOT && stage == STAGE_CONTENT && session->due_ns == 0)
		session->due_ns = bench_now_ns() + g_rand_int_range(load->mix->luck, 0, MIX_AFTER_DOT_NS);
	return (session->cut == CUT_MAIL && stage == STAGE_MAIL) ||
		   (session->cut == CUT_RCPT && stage == STAGE_RCPT) ||
		   (session->cut == CUT_DATA && stage == STAGE_DATA) ||
		   (session->cut == CUT_CONTENT && stage == STAGE_CONTENT);
}

/* Half of them by RST, which takes what the server did not read yet away from it. */
void
load_mix_leave(Load *load, LoadSession *session)
{
	const struct linger reset = { .l_onoff = 1 };

	if (g_rand_boolean(load->mix->luck))
		(void)setsockopt(session->link.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	load->n_cut++;
	load_close(load, session, false);
}

/* ---- the record ---- */

void
load_mix_record(Load *load, const LoadSession *session, bool is_acknowledged)
{
	const char *verdict = is_acknowledged       ? "acknowledged"
						  : session->is_refused ? "refused"
						  : session->is_whole   ? "unanswered"
												: "incomplete";

	if (load->accepted_log == NULL)
		return;
	fprintf(load->accepted_log,
		"%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %08x %" G_GINT64_FORMAT, verdict, session->id,
		bench_now_ns(), session->body_crc, session->body_size);
	for (guint i = 0; i < session->recipients->len; i++)
		fprintf(load->accepted_log, " %s", (const char *)session->recipients->pdata[i]);
	fputc('\n', load->accepted_log);
}
