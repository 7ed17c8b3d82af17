/* engine.c - the snapshot of a configuration. */
#include "engine/engine.h"

#include "engine/route.h"

Snapshot *
snapshot_new(EngineSettings *settings, DeliverySettings *delivery, Chain *chain, Dns *dns, TlsServer *tls)
{
	Snapshot *snapshot = g_new0(Snapshot, 1);

	atomic_init(&snapshot->references, 1);
	snapshot->settings = settings;
	snapshot->delivery = delivery;
	snapshot->chain = chain;
	snapshot->dns = dns;
	snapshot->tls = tls_server_ref(tls);
	return snapshot;
}

Snapshot *
snapshot_ref(Snapshot *snapshot)
{
	atomic_fetch_add(&snapshot->references, 1);
	return snapshot;
}

void
snapshot_unref(Snapshot *snapshot)
{
	if (snapshot == NULL || atomic_fetch_sub(&snapshot->references, 1) != 1)
		return;
	chain_free(snapshot->chain);
	if (snapshot->release != NULL)
		snapshot->release(snapshot->release_data);
	tls_server_unref(snapshot->tls);
	delivery_settings_free(snapshot->delivery);
	engine_settings_free(snapshot->settings);
	g_free(snapshot);
}
