/* linked.c - the plugins that are linked into the program (--enable-linked-plugins). */
#include "daemon/linked.h"

#include "config.h"
#include "host/module.h"

#ifdef POSTERN_LINKED_PLUGINS
extern const PtnPlugin ptn_plugin_auth, ptn_plugin_dnsbl, ptn_plugin_ipfilter, ptn_plugin_sender_rules;
extern const PtnPlugin ptn_plugin_attachments, ptn_plugin_uribl;
#endif

void
linked_plugins_add(void)
{
#ifdef POSTERN_LINKED_PLUGINS
	module_add_linked(&ptn_plugin_auth);
	module_add_linked(&ptn_plugin_dnsbl);
	module_add_linked(&ptn_plugin_ipfilter);
	module_add_linked(&ptn_plugin_sender_rules);
	module_add_linked(&ptn_plugin_uribl);
	module_add_linked(&ptn_plugin_attachments);
#endif
}
