/* expiry.c - how long the certificates of [tls] last. */
#include "daemon/expiry.h"

#include "io/tls-inspect.h"

void
expiry_look(Metrics *metrics, const Config *config, int64_t now_us)
{
	const GPtrArray *sections = config_sections(config, "tls");

	for (guint i = 0; i < sections->len; i++) {
		const ConfigSection *section = g_ptr_array_index(sections, i);
		const char *name = config_section_name(section), *path = config_text(section, "certificate");
		g_autofree char *alarm = name != NULL ? g_strdup_printf("tls.expiry.%s", name) : g_strdup("tls.expiry");
		g_autofree char *text = NULL;
		TlsFacts facts;

		if (!tls_inspect(path, name != NULL ? name : "", &facts, NULL))
			continue; /* a file that is gone is another alarm's */
		text = tls_expiry_complaint(path, &facts, now_us);
		metrics_alarm(metrics, alarm, text);
	}
}
