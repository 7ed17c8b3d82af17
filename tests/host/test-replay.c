/* test-replay.c - what replays and fuzzers change of a host, and many sessions in one, without a disk. */
#include "test-host-private.h"

#include <glib/gstdio.h>
#include <openssl/ssl.h>

EngineSettings *
test_host_settings(PtnTest *test)
{
	return test->settings;
}

ListenerSettings *
test_host_listener(PtnTest *test)
{
	return test->listener;
}

void
test_host_offer_tls(PtnTest *test)
{
	g_autofree char *certificate = g_strdup_printf("%s.crt", test->directory);
	g_autofree char *key = g_strdup_printf("%s.key", test->directory);
	const TlsCertificate rows[] = { { NULL, certificate, key }, { 0 } };
	const TlsServerSettings settings = { .certificates = rows, .minimum = TLS1_2_VERSION };
	g_autoptr(GError) error = NULL;

	if (!tls_make_certificate("test.example.net", certificate, key, &error))
		test_die("certificate", error->message);
	test->snapshot->tls = tls_server_new(&settings, &error);
	if (test->snapshot->tls == NULL)
		test_die("certificate", error->message);
	test->listener->tls = LISTENER_TLS_STARTTLS;
	(void)g_unlink(certificate);
	(void)g_unlink(key);
}

void
test_host_commit_by(PtnTest *test, TestCommit *commit, void *data)
{
	test->commit = commit;
	test->commit_data = data;
}

void
test_host_forget(PtnTest *test)
{
	Engine *engine = &test->engine;

	test_end_session(test);
	g_ptr_array_set_size(test->texts, 0);
	queue_free(engine->queue);
	engine->queue = queue_new(engine->spool, engine->clock, NULL, NULL);
	client_budgets_free(engine->clients);
	engine->clients = client_budgets_new(engine->clock, TEST_CLIENTS);
	account_budgets_free(engine->accounts);
	engine->accounts = account_budgets_new();
}
