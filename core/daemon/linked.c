/* linked.c - the plugins that are linked into the program (--enable-linked-plugins).
 *
 * linked-plugins.h is made of their sources: a row LINKED(name) for each PTN_PLUGIN(name). */
#include "daemon/linked.h"

#include "config.h"
#include "host/module.h"

#ifdef POSTERN_LINKED_PLUGINS
#define LINKED(name) extern const PtnPlugin ptn_plugin_##name;
#include "core/daemon/linked-plugins.h"
#undef LINKED
#endif

void
linked_plugins_add(void)
{
#ifdef POSTERN_LINKED_PLUGINS
#define LINKED(name) module_add_linked(&ptn_plugin_##name);
#include "core/daemon/linked-plugins.h"
#endif
}
