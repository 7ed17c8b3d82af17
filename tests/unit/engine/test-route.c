/* test-route.c - the next hop of a recipient, and the addresses of a next hop, over a scripted DNS. */
#include "engine/route.h"

#include <string.h>

#include "proto/path.h"
#include "suites.h"
#include "unit/service/fake-clock.h"

typedef struct {
	FakeClock clock;
	Engine engine;
	Dns *dns;
	DeliverySettings *settings; /* of the snapshot */
	Chain *chain;
	Snapshot *snapshot;
} World;

static PtnAnswer *
world_resolve(void *data, const char *name, PtnRecord type)
{
	static const struct {
		const char *name;
		PtnRecord type;
		PtnStatus status;
		const char *values[5];
	} zone[] = {
		{ "plain.example", PTN_MX, PTN_OK, { "10 mx1.example", "20 mx2.example" } },
		{ "mx1.example", PTN_A, PTN_OK, { "192.0.2.1" } },
		{ "mx2.example", PTN_A, PTN_OK, { "192.0.2.2" } },
		{ "implicit.example", PTN_A, PTN_OK, { "192.0.2.3" } },
		{ "null.example", PTN_MX, PTN_OK, { "0 ." } },
		{ "failing.example", PTN_MX, PTN_UNSURE, { NULL } },
		{ "halffailing.example", PTN_MX, PTN_OK, { "10 failing-host.example" } },
		{ "failing-host.example", PTN_A, PTN_UNSURE, { NULL } },
		{ "noaddress.example", PTN_MX, PTN_OK, { "10 nowhere.example" } },
		{ "ours.example", PTN_MX, PTN_OK, { "10 mail.example.net", "20 mx2.example" } },
		{ "backup.example", PTN_MX, PTN_OK, { "10 mx1.example", "20 us.example", "30 mx2.example" } },
		{ "us.example", PTN_A, PTN_OK, { "192.0.2.250" } },
		{ "equal.example", PTN_MX, PTN_OK, { "10 mx1.example", "20 us.example", "20 mx2.example" } },
		{ "equals.example", PTN_MX, PTN_OK, { "20 mx1.example", "20 mx2.example", "20 us.example" } },
		{ "nat.example", PTN_MX, PTN_OK, { "10 mx1.example", "20 mx.nat.example", "20 mx2.example" } },
		{ "mx.nat.example", PTN_A, PTN_OK, { "192.0.2.240" } },
		{ "nat64.example", PTN_MX, PTN_OK, { "10 mx.nat64.example" } },
		{ "mx.nat64.example", PTN_AAAA, PTN_OK, { "64:ff9b::c000:2fa" } },
		{ "loopback.example", PTN_MX, PTN_OK, { "10 localhost.example" } },
		{ "localhost.example", PTN_A, PTN_OK, { "127.0.0.1" } },
		{ "loopback6.example", PTN_MX, PTN_OK, { "10 localhost6.example" } },
		{ "localhost6.example", PTN_AAAA, PTN_OK, { "::1" } },
		{ "zero.example", PTN_MX, PTN_OK, { "10 zero-host.example" } },
		{ "zero-host.example", PTN_A, PTN_OK, { "0.0.0.0" } },
		{ "zero-host.example", PTN_AAAA, PTN_OK, { "::" } },
		{ "named.example", PTN_MX, PTN_OK, { "10 MAIL.example.NET" } },
		{ "here.example", PTN_A, PTN_OK, { "127.0.0.1" } },
		{ "inside.example", PTN_MX, PTN_OK, { "10 mx.inside.example" } },
		{ "mx.inside.example", PTN_A, PTN_OK, { "10.0.0.5", "127.0.0.1", "169.254.169.254", "0.0.0.0" } },
		{ "mx.inside.example", PTN_AAAA, PTN_OK, { "::1", "fe80::1", "64:ff9b::a00:5", "2002:a00:5::1" } },
		{ "outside.example", PTN_MX, PTN_OK, { "10 mx.public.example" } },
		{ "mixed.example", PTN_MX, PTN_OK, { "10 mx.inside.example", "20 mx.public.example" } },
		{ "mx.public.example", PTN_A, PTN_OK, { "10.1.2.3", "1.2.3.4" } },
		{ "mx.public.example", PTN_AAAA, PTN_OK, { "64:ff9b::102:304", "2600::1" } },
		{ "halfinside.example", PTN_MX, PTN_OK, { "10 mx.inside.example", "20 failing-host.example" } },
	};

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(zone); i++)
		if (strcmp(zone[i].name, name) == 0 && zone[i].type == type)
			return dns_answer_new(zone[i].status, zone[i].values, CLOCK_SECOND);
	return dns_answer_new(PTN_NONE, NULL, CLOCK_SECOND);
}

static void
world_start(World *world)
{
	IpNetwork examples;
	IpAddress own;

	*world = (World){ .clock = fake_clock(), .chain = chain_new() };
	world->engine.clock = &world->clock.clock;
	world->engine.store = store_open("memory:", true, world->engine.clock, NULL);
	world->engine.directory = directory_new(world->engine.store);
	world->dns = dns_new_scripted(world_resolve, NULL);
	world->settings = delivery_settings_new();
	world->settings->hostname = g_strdup("mail.example.net");
	CU_ASSERT(ip_parse("192.0.2.250", &own));
	g_array_append_val(world->settings->own, own);
	CU_ASSERT(ip_network_parse("192.0.2.0/24", &examples, NULL));
	g_array_append_val(world->settings->private_networks, examples);
	world->snapshot = snapshot_new(engine_settings_new(), world->settings, world->chain, world->dns, NULL);
}

static void
world_end(World *world)
{
	snapshot_unref(world->snapshot);
	dns_free(world->dns);
	directory_free(world->engine.directory);
	store_close(world->engine.store);
}

static void
world_add_route(World *world, const char *to, const char *hop)
{
	char **domains = g_strsplit(to, " ", -1);

	g_ptr_array_add(world->settings->routes, route_new(to, domains, NULL, next_hop_parse(hop, TLS_MAY, NULL)));
}

static void
world_add_mode_route(World *world, const char *to, const char *modes, const char *hop)
{
	g_ptr_array_add(world->settings->routes, route_new(modes, g_strsplit(to, " ", -1), g_strsplit(modes, " ", -1),
												 next_hop_parse(hop, TLS_MAY, NULL)));
}

static void
world_add_domain(World *world, const char *name, const char *mode, const char *destination)
{
	DirectoryEntry *entry = directory_entry_new(PTN_DOMAIN, name);

	directory_entry_set(entry, "mode", mode);
	directory_entry_set(entry, "destination", destination);
	CU_ASSERT_EQUAL(directory_save(world->engine.directory, entry, NULL, CLOCK_NEVER), PTN_OK);
	directory_entry_free(entry);
}

/* "FOUND mx:example.org" or the result and the reply. */
static void
check_route(World *world, const char *recipient, const char *expected)
{
	static const char *const names[] = { "FOUND", "REFUSED", "DEFERRED", "HELD" };
	g_autoptr(Envelope) envelope = envelope_new(1);
	g_autofree char *shown = NULL;
	RouteAnswer answer;

	envelope_add_recipient(envelope, recipient, NULL, 0);
	route_recipient(&world->engine, world->snapshot, world->settings, envelope, 0, &answer);
	shown = g_strdup_printf("%s %s", names[answer.result], answer.hop != NULL ? answer.hop->text : answer.reply);
	ASSERT_TEXT(shown, expected);
	route_answer_clear(&answer);
}

/* "OK 192.0.2.1 192.0.2.2", or "DEFER 4.4.3", "FAIL 5.1.2". */
static void
check_addresses(World *world, const char *text, const char *expected)
{
	static const char *const names[] = { "OK", "DEFER", "FAIL" };
	g_autoptr(NextHop) hop = next_hop_parse(text, TLS_MAY, NULL);
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *reply = NULL;
	g_autoptr(GString) shown = g_string_new(NULL);
	const HopResult result = route_addresses(world->dns, world->settings, hop, CLOCK_NEVER, &addresses, &reply);

	g_string_append(shown, names[result]);
	if (reply != NULL)
		g_string_append_printf(shown, " %.*s", (int)strcspn(reply, " "), reply);
	for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
		char ip[IP_TEXT_SIZE];

		g_string_append_printf(shown, " %s", ip_format(&((const HopAddress *)addresses->pdata[i])->address, ip));
	}
	ASSERT_TEXT(shown->str, expected);
}

static void
test_exchangers(void)
{
	World world;

	world_start(&world);
	check_addresses(&world, "mx:plain.example", "OK 192.0.2.1 192.0.2.2");
	check_addresses(&world, "mx:implicit.example", "OK 192.0.2.3");
	check_addresses(&world, "smtp:mx1.example:2525", "OK 192.0.2.1");
	check_addresses(&world, "smtp:[192.0.2.9]", "OK 192.0.2.9");
	check_addresses(&world, "lmtp://mx1.example", "OK 192.0.2.1");
	world_end(&world);
}

static void
test_no_way(void)
{
	World world;

	world_start(&world);
	check_addresses(&world, "mx:null.example", "FAIL 5.1.10");
	check_addresses(&world, "mx:missing.example", "FAIL 5.1.2");
	check_addresses(&world, "mx:failing.example", "DEFER 4.4.3");
	check_addresses(&world, "mx:halffailing.example", "DEFER 4.4.3");
	check_addresses(&world, "mx:noaddress.example", "DEFER 4.4.4");
	check_addresses(&world, "smtp:failing-host.example", "DEFER 4.4.3");
	check_addresses(&world, "smtp:missing.example", "DEFER 4.4.4");
	world_end(&world);
}

static void
test_ours(void)
{
	World world;

	world_start(&world);
	check_addresses(&world, "mx:ours.example", "FAIL 5.4.6");
	check_addresses(&world, "mx:backup.example", "OK 192.0.2.1");
	check_addresses(&world, "mx:named.example", "FAIL 5.4.6");
	check_addresses(&world, "mx:nat64.example", "FAIL 5.4.6");
	world_end(&world);
}

/* Whatever the order in which the DNS names them: who is as good as we are has the same list. */
static void
test_ours_among_equals(void)
{
	World world;

	world_start(&world);
	for (int i = 0; i < 20; i++) {
		check_addresses(&world, "mx:equal.example", "OK 192.0.2.1");
		check_addresses(&world, "mx:equals.example", "FAIL 5.4.6");
	}
	world_end(&world);
}

/* No interface has the address, so somebody has to say that it is ours. */
static void
test_ours_behind_nat(void)
{
	const OwnDoor door = { .port = 2525 };
	IpAddress outside;
	World world;

	world_start(&world);
	check_addresses(&world, "smtp:[192.0.2.240]:25", "OK 192.0.2.240");
	CU_ASSERT(ip_parse("192.0.2.240", &outside));
	g_array_append_val(world.settings->outside, outside);
	g_array_append_val(world.settings->doors, door);
	check_addresses(&world, "mx:nat.example", "OK 192.0.2.1");
	check_addresses(&world, "smtp:[192.0.2.240]:25", "FAIL 5.4.6");
	check_addresses(&world, "smtp:[192.0.2.240]:2525", "FAIL 5.4.6");
	check_addresses(&world, "smtp:[192.0.2.240]:24", "OK 192.0.2.240");
	world_end(&world);
}

/* A redirect to where we listen is a loop, to another server on this machine it is not, if the administrator permits that. */
static void
test_redirect_to_ourselves(void)
{
	OwnDoor door = { .port = 25 };
	IpNetwork loopback;
	World world;

	world_start(&world);
	check_addresses(&world, "mx:loopback.example", "FAIL 5.4.6");
	check_addresses(&world, "mx:loopback6.example", "FAIL 5.4.6");
	check_addresses(&world, "mx:zero.example", "FAIL 5.4.6");
	check_addresses(&world, "smtp:[127.0.0.1]:25", "FAIL 5.4.6");
	CU_ASSERT(ip_network_parse("127.0.0.0/8", &loopback, NULL));
	g_array_append_val(world.settings->private_networks, loopback);
	check_addresses(&world, "smtp:[127.0.0.1]:25", "OK 127.0.0.1");
	check_addresses(&world, "mx:loopback.example", "OK 127.0.0.1");
	CU_ASSERT(ip_parse("::", &door.address));
	g_array_append_val(world.settings->doors, door);
	check_addresses(&world, "smtp:[127.0.0.1]:25", "FAIL 5.4.6");
	check_addresses(&world, "smtp:localhost.example:25", "FAIL 5.4.6");
	check_addresses(&world, "lmtp:[127.0.0.1]:25", "FAIL 5.4.6");
	check_addresses(&world, "mx:loopback.example", "FAIL 5.4.6");
	check_addresses(&world, "smtp:[127.0.0.1]:26", "OK 127.0.0.1");
	world_end(&world);
}

/* What DNS and customers say must be public; what the administrator wrote may be anywhere. */
static void
test_inside(void)
{
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *reply = NULL;
	IpNetwork network;
	World world;

	world_start(&world);
	check_addresses(&world, "mx:inside.example", "FAIL 5.4.6");
	check_addresses(&world, "smtp:mx.inside.example:25", "FAIL 5.4.6");
	check_addresses(&world, "smtp:[10.0.0.5]:25", "FAIL 5.4.4");
	check_addresses(&world, "smtp:[::ffff:127.0.0.1]:25", "FAIL 5.4.6");
	check_addresses(&world, "lmtp:[127.0.0.1]:24", "FAIL 5.4.6");
	check_addresses(&world, "mx:mixed.example", "OK 64:ff9b::102:304 2600::1 1.2.3.4");
	check_addresses(&world, "mx:halfinside.example", "DEFER 4.4.3");
	CU_ASSERT(ip_network_parse("10.0.0.0/24", &network, NULL));
	g_array_append_val(world.settings->private_networks, network);
	check_addresses(&world, "mx:inside.example", "OK 64:ff9b::a00:5 2002:a00:5::1 10.0.0.5");
	world_add_route(&world, "x.example", "smtp:[127.0.0.1]:25");
	CU_ASSERT_EQUAL(route_addresses(world.dns, world.settings,
						((const Route *)g_ptr_array_index(world.settings->routes, 0))->hop, CLOCK_NEVER, &addresses, &reply),
		HOP_OK);
	world_end(&world);
}

/* 0.0.0.0 and :: among our own addresses are all of this machine's. */
static void
test_ours_everywhere(void)
{
	IpAddress everywhere;
	World world;

	world_start(&world);
	check_addresses(&world, "mx:here.example", "FAIL 5.4.6");
	CU_ASSERT(ip_parse("0.0.0.0", &everywhere));
	g_array_append_val(world.settings->own, everywhere);
	check_addresses(&world, "mx:here.example", "FAIL 5.4.6");
	check_addresses(&world, "mx:outside.example", "OK 64:ff9b::102:304 2600::1 1.2.3.4");
	world_end(&world);
}

/* A connection to the same address that the administrator permits is not shared. */
static void
test_key(void)
{
	g_autoptr(NextHop) foreign = next_hop_parse("smtp:[127.0.0.1]:25", TLS_MAY, NULL), trusted = next_hop_copy(foreign);
	g_autofree char *foreign_key = next_hop_key(foreign), *trusted_key = NULL;

	trusted->is_trusted = true;
	trusted_key = next_hop_key(trusted);
	CU_ASSERT_STRING_NOT_EQUAL(foreign_key, trusted_key);
}

/* Of each family as often as the others; one of which there is none is not used. */
static void
test_sources(void)
{
	g_autoptr(NextHop) hop = next_hop_parse("smtp://mx.public.example", TLS_MAY, NULL);
	static const char *const own[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1" };
	unsigned seen[G_N_ELEMENTS(own)] = { 0 };
	IpAddress to, from;
	World world;

	world_start(&world);
	CU_ASSERT(ip_parse("1.2.3.4", &to));
	CU_ASSERT_PTR_NULL(hop_from(world.settings, hop, &to));
	for (size_t i = 0; i < G_N_ELEMENTS(own) - 1; i++) {
		CU_ASSERT(ip_parse(own[i], &from));
		g_array_append_val(world.settings->from, from);
	}
	check_addresses(&world, "mx:mixed.example", "OK 1.2.3.4");
	check_addresses(&world, "mx:nat64.example", "FAIL 5.4.6");
	check_addresses(&world, "smtp:[2600::1]", "DEFER 4.4.1");
	CU_ASSERT(ip_parse(own[3], &from));
	g_array_append_val(world.settings->from, from);
	check_addresses(&world, "mx:mixed.example", "OK 64:ff9b::102:304 2600::1 1.2.3.4");
	for (int i = 0; i < 300; i++) {
		const IpAddress *chosen = hop_from(world.settings, hop, &to);

		for (size_t k = 0; k < G_N_ELEMENTS(own); k++)
			seen[k] += ip_parse(own[k], &from) && ip_equal(chosen, &from);
	}
	CU_ASSERT(seen[0] > 50 && seen[1] > 50 && seen[2] > 50 && seen[3] == 0);
	hop->from = g_array_new(FALSE, FALSE, sizeof from);
	CU_ASSERT(ip_parse("192.0.2.9", &from));
	g_array_append_val(hop->from, from);
	CU_ASSERT(ip_equal(hop_from(world.settings, hop, &to), &from));
	world_end(&world);
}

static void
test_order(void)
{
	World world;

	world_start(&world);
	check_route(&world, "x@plain.example", "FOUND mx:plain.example");
	world_add_domain(&world, "redirected.example", "redirect", "mx.redirected.example");
	world_add_domain(&world, "held.example", "hold", NULL);
	check_route(&world, "x@redirected.example", "FOUND smtp:mx.redirected.example:25");
	check_route(&world, "x@held.example", "HELD mail for held.example is accepted and held");
	world_add_route(&world, "partner.example .internal.example", "smtp:relay.example.org:587");
	check_route(&world, "x@PARTNER.example", "FOUND smtp:relay.example.org:587");
	check_route(&world, "x@a.internal.example", "FOUND smtp:relay.example.org:587");
	check_route(&world, "x@internal.example", "FOUND mx:internal.example");
	world_add_route(&world, "*", "smtp:[192.0.2.77]");
	check_route(&world, "x@redirected.example", "FOUND smtp:mx.redirected.example:25");
	check_route(&world, "x@held.example", "HELD mail for held.example is accepted and held");
	check_route(&world, "x@plain.example", "FOUND smtp:[192.0.2.77]");
	world_add_route(&world, "held.example", "smtp:[192.0.2.78]");
	check_route(&world, "x@held.example", "FOUND smtp:[192.0.2.78]");
	world_end(&world);
}

static void
test_modes(void)
{
	World world;

	world_start(&world);
	world_add_domain(&world, "hosted.example", "hosted", NULL);
	world_add_domain(&world, "sub.hosted.example", "hosted", NULL);
	world_add_domain(&world, "held.example", "hold", NULL);
	world_add_mode_route(&world, ".hosted.example", "hosted forward-mailbox", "lmtp://store2.example.net");
	world_add_mode_route(&world, "", "hosted", "lmtp:unix:/run/lmtp");
	check_route(&world, "x@HOSTED.example", "FOUND lmtp:unix:/run/lmtp");
	check_route(&world, "x@sub.hosted.example", "FOUND lmtp://store2.example.net");
	check_route(&world, "x@other.hosted.example", "FOUND mx:other.hosted.example");
	check_route(&world, "x@held.example", "HELD mail for held.example is accepted and held");
	check_route(&world, "x@plain.example", "FOUND mx:plain.example");
	world_end(&world);
}

static PtnVerdict
hook_route(const HookRow *row, HookCall *call)
{
	const Recipient *recipient = g_ptr_array_index(call->envelope->recipients, call->recipient);

	(void)row;
	if (g_str_has_prefix(recipient->address, "route@"))
		hook_add_act(call, ACT_ROUTE)->text = "smtp:[192.0.2.88]:26";
	else if (g_str_has_prefix(recipient->address, "nonsense@"))
		hook_add_act(call, ACT_ROUTE)->text = "carrier pigeon";
	else if (g_str_has_prefix(recipient->address, "hold@"))
		hook_add_act(call, ACT_HOLD)->text = "wait for it";
	else if (g_str_has_prefix(recipient->address, "fail@"))
		return PTN_FAILED;
	if (!g_str_has_prefix(recipient->address, "no@"))
		return PTN_NEXT;
	call->code = 550;
	call->enhanced = "5.7.1";
	call->text = "not there";
	return PTN_REFUSED;
}

static void
test_hooks(void)
{
	HookPlugin plugin = { .name = "p", .deadline_us = CLOCK_SECOND, .at_once = 1 };
	const HookRow row = { .plugin = &plugin, .stage = PTN_ROUTE, .run = hook_route };
	World world;

	world_start(&world);
	chain_add(world.chain, &row);
	check_route(&world, "route@plain.example", "FOUND smtp:[192.0.2.88]:26");
	check_route(&world, "hold@plain.example", "HELD wait for it");
	check_route(&world, "no@plain.example", "REFUSED 5.7.1 not there");
	check_route(&world, "fail@plain.example", "DEFERRED 4.3.0 Error: temporary problem, try again later");
	check_route(&world, "other@plain.example", "FOUND mx:plain.example");
	world_end(&world);
}

static void
test_bad_hook_route(void)
{
	HookPlugin plugin = { .name = "p", .deadline_us = CLOCK_SECOND, .at_once = 1 };
	const HookRow row = { .plugin = &plugin, .stage = PTN_ROUTE, .run = hook_route };
	g_autoptr(Envelope) envelope = envelope_new(1);
	RouteAnswer answer;
	World world;

	world_start(&world);
	chain_add(world.chain, &row);
	envelope_add_recipient(envelope, "nonsense@plain.example", NULL, 0);
	route_recipient(&world.engine, world.snapshot, world.settings, envelope, 0, &answer);
	CU_ASSERT_EQUAL(answer.result, ROUTE_DEFERRED);
	CU_ASSERT(answer.reply != NULL && g_str_has_prefix(answer.reply, "4.3.5 "));
	route_answer_clear(&answer);
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "what is not public, unless the administrator wrote or permits it", test_inside },
	{ "a listener on all addresses is at each of them", test_ours_everywhere },
	{ "trusted and other next hops share no connection", test_key },
	{ "MX by preference, implicit MX, hosts and addresses", test_exchangers },
	{ "null MX and NXDOMAIN fail, what cannot be found out is deferred", test_no_way },
	{ "if we are an exchanger only better ones are tried; the best is ourselves: a loop", test_ours },
	{ "Q-38 all addresses are sent from, by their families alone", test_sources },
	{ "Q-37 exchangers as good as we are are not tried", test_ours_among_equals },
	{ "Q-37 an address behind NAT is ours if the configuration says so", test_ours_behind_nat },
	{ "Q-37 what leads to this machine, or to where we listen, is a loop", test_redirect_to_ourselves },
	{ "[route]s, then the directory, then MX", test_order },
	{ "for-mode holds for domains of that mode in the directory, with `to` both must", test_modes },
	{ "hooks at ROUTE come first", test_hooks },
	{ "a next hop that a plugin made up is deferred, not lost", test_bad_hook_route },
	{ NULL, NULL },
};

const UnitSuite suite_route = { "route", tests };
