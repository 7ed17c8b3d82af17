/* linked.h - the plugins that are linked into the program. */
#pragma once

/* Makes them known to the host; none in an ordinary build. */
void linked_plugins_add(void);
