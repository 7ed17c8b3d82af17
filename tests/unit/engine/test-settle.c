/* test-settle.c - what becomes of a recipient, and when it is tried again, by a clock that the test moves. */
#include <string.h>

#include "engine/delivery-private.h"
#include "suites.h"
#include "unit/mail/mail.h"

#define MINUTE (60 * CLOCK_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define ID 7
#define ARRIVED (1000 * DAY)

enum { SCENE_MOST = 4 };

/* A message with its state and the results of one attempt, as deliveries have it. */
typedef struct {
	Fixture *fixture;
	Engine engine;
	Delivery delivery;
	Snapshot *snapshot;
	DeliverySettings *settings; /* of the snapshot */
	SpoolMessage message;
	DeliveryRecipient recipients[SCENE_MOST];
	RouteAnswer ways[SCENE_MOST];
	ActiveMessage active;
} Scene;

static void
scene_start(Scene *scene, unsigned n)
{
	QueueId id;
	int64_t due_us;

	memset(scene, 0, sizeof *scene);
	scene->fixture = fixture_new();
	scene->fixture->now_us = ARRIVED;
	CU_ASSERT_EQUAL_FATAL(fixture_commit(scene->fixture, ID, "Subject: x\r\n\r\nx\r\n", n), SPOOL_COMMITTED);
	scene->engine.clock = &scene->fixture->clock;
	scene->engine.spool = scene->fixture->spool;
	scene->engine.metrics = metrics_new();
	scene->engine.queue = queue_new(scene->fixture->spool, scene->engine.clock, NULL, NULL);
	CU_ASSERT_FATAL(queue_take(scene->engine.queue, &id, &due_us) && id == ID);
	queue_note_attempt(scene->engine.queue, ID);
	scene->settings = delivery_settings_new();
	scene->snapshot = snapshot_new(engine_settings_new(), scene->settings, chain_new(), NULL, NULL);
	scene->message.envelope = fixture_envelope(ID, n);
	g_free(scene->message.envelope->sender);
	scene->message.envelope->sender = g_strdup("a@example.net");
	scene->message.envelope->arrived_us = ARRIVED;
	scene->message.size = 100;
	scene->message.state = message_state_new(ID, n);
	scene->delivery.engine = &scene->engine;
	scene->active = (ActiveMessage){ .delivery = &scene->delivery, .snapshot = scene->snapshot,
		.message = &scene->message, .recipients = scene->recipients, .ways = scene->ways,
		.is_routed = true, .state = scene->message.state };
}

static void
scene_end(Scene *scene)
{
	for (unsigned i = 0; i < SCENE_MOST; i++) {
		g_free(scene->recipients[i].result.reply);
		route_answer_clear(&scene->ways[i]);
	}
	envelope_free(scene->message.envelope);
	message_state_free(scene->active.state);
	snapshot_unref(scene->snapshot);
	queue_free(scene->engine.queue);
	metrics_free(scene->engine.metrics);
	fixture_free(scene->fixture);
}

static void
scene_settle(Scene *scene, unsigned i, SentStatus status, const char *reply)
{
	scene->recipients[i].has_result = true;
	scene->recipients[i].is_settled = false;
	sent_result_set(&scene->recipients[i].result, status, true, reply);
	settle_recipient(&scene->active, i);
}

static int64_t
scene_wait_us(const Scene *scene, unsigned i)
{
	return scene->active.state->recipients[i].next_us - scene->fixture->now_us;
}

/* ---- back-off ---- */

/* A tenth less at the most. */
static void
check_wait(int64_t wait_us, int64_t expected_us)
{
	if (wait_us > expected_us || wait_us < expected_us - expected_us / 10) {
		g_autofree char *got = g_strdup_printf("%.1f s", (double)wait_us / 1e6);
		g_autofree char *wanted = g_strdup_printf("%.1f s, or a tenth less", (double)expected_us / 1e6);

		ASSERT_TEXT(got, wanted);
	}
}

static void
test_back_off(void)
{
	static const struct {
		int64_t least_us, most_us;
		unsigned attempts; /* that failed before this one */
		int64_t wait_us;
	} cases[] = {
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 0, 300 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 1, 600 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 2, 1200 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 3, 2400 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 4, 4000 * CLOCK_SECOND }, /* not 4800 */
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 5, 4000 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 4000 * CLOCK_SECOND, 100000, 4000 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 300 * CLOCK_SECOND, 0, 300 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 300 * CLOCK_SECOND, 3, 300 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 1200 * CLOCK_SECOND, 2, 1200 * CLOCK_SECOND }, /* the cap is a doubling */
		{ 300 * CLOCK_SECOND, 1200 * CLOCK_SECOND, 3, 1200 * CLOCK_SECOND },
		{ 300 * CLOCK_SECOND, 500 * CLOCK_SECOND, 1, 500 * CLOCK_SECOND },
		{ CLOCK_SECOND, 30 * DAY, 20, 1048576 * CLOCK_SECOND },
	};

	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		Scene scene;

		scene_start(&scene, 1);
		scene.settings->retry_least_us = cases[k].least_us;
		scene.settings->retry_most_us = cases[k].most_us;
		scene.active.state->recipients[0].attempts = cases[k].attempts;
		scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
		settle_schedule(&scene.active);
		check_wait(scene_wait_us(&scene, 0), cases[k].wait_us);
		CU_ASSERT_EQUAL(scene.active.state->next_us, scene.active.state->recipients[0].next_us);
		CU_ASSERT_EQUAL(scene.active.state->recipients[0].attempts, cases[k].attempts + 1);
		CU_ASSERT_EQUAL(scene.active.state->attempts, cases[k].attempts + 1);
		scene_end(&scene);
	}
}

/* Over five days no pause is longer than the cap, or shorter than the one before it by more than chance. */
static void
test_back_off_over_days(void)
{
	const int64_t most_us = 4000 * CLOCK_SECOND;
	int64_t before_us = 0;
	unsigned attempts = 0;
	Scene scene;

	scene_start(&scene, 1);
	while (scene.active.state->recipients[0].status == RECIPIENT_PENDING && attempts < 1000) {
		scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
		settle_schedule(&scene.active);
		if (scene.active.state->recipients[0].status != RECIPIENT_PENDING)
			break;
		CU_ASSERT(scene_wait_us(&scene, 0) <= most_us);
		CU_ASSERT(scene_wait_us(&scene, 0) >= before_us - before_us / 10);
		before_us = scene_wait_us(&scene, 0);
		scene.fixture->now_us += before_us;
		attempts++;
	}
	CU_ASSERT(scene.fixture->now_us - ARRIVED > 5 * DAY);
	CU_ASSERT(scene.fixture->now_us - ARRIVED <= 5 * DAY + most_us);
	CU_ASSERT(attempts >= 5 * DAY / most_us);
	CU_ASSERT_EQUAL(scene.active.state->recipients[0].status, RECIPIENT_FAILED);
	scene_end(&scene);
}

/* What failed together does not come back together. */
static void
test_spread(void)
{
	int64_t least_us = INT64_MAX, most_us = 0;
	Scene scene;

	scene_start(&scene, 1);
	for (int i = 0; i < 200; i++) {
		scene.active.state->recipients[0].attempts = 0;
		scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
		settle_schedule(&scene.active);
		least_us = MIN(least_us, scene_wait_us(&scene, 0));
		most_us = MAX(most_us, scene_wait_us(&scene, 0));
	}
	CU_ASSERT(most_us - least_us > 15 * CLOCK_SECOND);
	scene_end(&scene);
}

/* Each recipient has its own pause, wherever it stands; those with as many attempts stay together, and the
 * message is due with the first of them. */
static void
test_recipients_in_every_order(void)
{
	static const unsigned orders[][SCENE_MOST] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 0, 3, 2 }, { 2, 3, 0, 1 } };
	static const struct {
		unsigned attempts;
		int64_t wait_us;
	} whos[SCENE_MOST] = { { 0, 300 * CLOCK_SECOND }, { 2, 1200 * CLOCK_SECOND }, { 0, 300 * CLOCK_SECOND },
		{ 9, 4000 * CLOCK_SECOND } };

	for (size_t k = 0; k < G_N_ELEMENTS(orders); k++) {
		unsigned place[SCENE_MOST];
		Scene scene;

		scene_start(&scene, SCENE_MOST);
		for (unsigned i = 0; i < SCENE_MOST; i++) {
			place[orders[k][i]] = i;
			scene.active.state->recipients[i].attempts = whos[orders[k][i]].attempts;
			scene_settle(&scene, i, SENT_DEFERRED, "450 4.2.1 later");
		}
		settle_schedule(&scene.active);
		for (unsigned i = 0; i < SCENE_MOST; i++)
			check_wait(scene_wait_us(&scene, i), whos[orders[k][i]].wait_us);
		CU_ASSERT_EQUAL(scene_wait_us(&scene, place[0]), scene_wait_us(&scene, place[2]));
		CU_ASSERT_EQUAL(scene.active.state->next_us, scene.active.state->recipients[place[0]].next_us);
		CU_ASSERT_EQUAL(scene.active.state->attempts, 10);
		CU_ASSERT_EQUAL(scene.active.deferred, SCENE_MOST);
		scene_end(&scene);
	}
}

/* A recipient that had no turn keeps its time, or is due at once where all were to be tried. */
static void
test_without_a_turn(void)
{
	Scene scene;

	for (int tries_all = 0; tries_all < 2; tries_all++) {
		scene_start(&scene, 2);
		scene.active.state->recipients[1].next_us = ARRIVED + 17 * HOUR;
		scene.active.state->tries_all = tries_all;
		scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
		settle_schedule(&scene.active);
		CU_ASSERT_EQUAL(scene.active.state->recipients[1].next_us, tries_all ? 0 : ARRIVED + 17 * HOUR);
		CU_ASSERT_EQUAL(scene.active.state->recipients[1].attempts, 0);
		CU_ASSERT_FALSE(scene.active.state->tries_all);
		scene_end(&scene);
	}
}

/* ---- age ---- */

typedef struct {
	const char *name;
	int64_t age_us, held_message_us, held_recipient_us, holds_since_us;
	unsigned attempts; /* with this one */
	bool is_unbelieved; /* the clock jumped */
	bool is_old;
} Age;

/* With a limit of five days. */
static const Age ages[] = {
	{ "young", DAY, 0, 0, 0, 2, false, false },
	{ "to the day", 5 * DAY, 0, 0, 0, 9, false, false },
	{ "just beyond", 5 * DAY + 1, 0, 0, 0, 9, false, true },
	{ "the second attempt", 6 * DAY, 0, 0, 0, 2, false, true },
	{ "the first attempt", 600 * DAY, 0, 0, 0, 1, false, false },
	{ "the clock jumped", 6 * DAY, 0, 0, 0, 9, true, false },
	{ "the message was held", 6 * DAY, DAY, 0, 0, 9, false, false },
	{ "the message was held, too briefly", 6 * DAY, DAY - 1, 0, 0, 9, false, true },
	{ "the recipient was held", 6 * DAY, 0, DAY, 0, 9, false, false },
	{ "the recipient was held, too briefly", 6 * DAY, 0, DAY - 1, 0, 9, false, true },
	{ "both were", 7 * DAY, DAY, DAY, 0, 9, false, false },
	{ "both were, too briefly", 7 * DAY, DAY, DAY - 1, 0, 9, false, true },
	{ "it was held until now", 8 * DAY, 0, 0, 3 * DAY, 9, false, false },
	{ "it was held until now, too briefly", 8 * DAY, 0, 0, 3 * DAY - 1, 9, false, true },
	{ "in the future", -DAY, 0, 0, 0, 9, false, false },
};

/* `attempts`: that failed before. */
static void
scene_age(Scene *scene, const Age *age, unsigned attempts)
{
	RecipientState *recipient = &scene->active.state->recipients[0];

	scene->fixture->now_us = ARRIVED + age->age_us;
	scene->active.state->held_total_us = age->held_message_us;
	recipient->held_total_us = age->held_recipient_us;
	recipient->held_since_us = age->holds_since_us != 0 ? scene->fixture->now_us - age->holds_since_us : 0;
	recipient->attempts = attempts;
	if (age->is_unbelieved)
		scene->fixture->wall_ahead_us = HOUR;
}

static void
test_expiry(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(ages); k++) {
		const RecipientState *recipient;
		Scene scene;

		scene_start(&scene, 1);
		recipient = &scene.active.state->recipients[0];
		scene_age(&scene, &ages[k], ages[k].attempts - 1);
		scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
		if ((recipient->status == RECIPIENT_FAILED) != ages[k].is_old)
			ASSERT_TEXT(ages[k].name, ages[k].is_old ? "expires" : "does not expire");
		ASSERT_TEXT(recipient->reply,
			ages[k].is_old ? "4.4.7 it could not be delivered in time; last: 450 4.2.1 later" : "450 4.2.1 later");
		CU_ASSERT_EQUAL(recipient->held_since_us, 0);
		scene_end(&scene);
	}
}

static void
test_delay_warning(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(ages); k++) {
		Scene scene;

		scene_start(&scene, 1);
		scene.settings->warn_after_us = 5 * DAY;
		scene.settings->expire_us = 50 * DAY;
		scene_age(&scene, &ages[k], ages[k].attempts);
		if (settle_is_late(&scene.active, 0) != ages[k].is_old)
			ASSERT_TEXT(ages[k].name, ages[k].is_old ? "is late" : "is not late");
		scene.active.state->recipients[0].is_warned = true;
		CU_ASSERT_FALSE(settle_is_late(&scene.active, 0));
		scene.active.state->recipients[0].is_warned = false;
		scene.settings->warn_after_us = 0;
		CU_ASSERT_FALSE(settle_is_late(&scene.active, 0));
		scene_end(&scene);
	}
}

/* ---- holds ---- */

static void
scene_hold(Scene *scene, unsigned i, int64_t release_at_us, const char *reason)
{
	route_answer_clear(&scene->ways[i]);
	scene->ways[i] = (RouteAnswer){ .result = ROUTE_HELD, .release_at_us = release_at_us, .reply = g_strdup(reason) };
	scene_settle(scene, i, SENT_HELD, reason);
}

/* All are held: so is the message, until the first wants to be released, whatever their order. */
static void
test_all_held(void)
{
	static const struct {
		int64_t until_us[3], release_at_us;
	} cases[] = {
		{ { ARRIVED + HOUR, ARRIVED + 2 * HOUR, 0 }, ARRIVED + HOUR },
		{ { ARRIVED + 2 * HOUR, ARRIVED + HOUR, 0 }, ARRIVED + HOUR },
		{ { 0, ARRIVED + 2 * HOUR, ARRIVED + HOUR }, ARRIVED + HOUR },
		{ { 0, 0, 0 }, 0 },
	};

	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		Scene scene;

		scene_start(&scene, 3);
		for (unsigned i = 0; i < 3; i++)
			scene_hold(&scene, i, cases[k].until_us[i], i == 2 ? "the last one's" : "another's");
		CU_ASSERT_EQUAL(scene.active.held, 3);
		settle_schedule(&scene.active);
		settle_hold(&scene.active);
		CU_ASSERT_TRUE(scene.active.state->is_held);
		CU_ASSERT_EQUAL(scene.active.state->release_at_us, cases[k].release_at_us);
		CU_ASSERT_EQUAL(scene.active.state->held_since_us, ARRIVED);
		ASSERT_TEXT(scene.active.state->hold_reason, "the last one's");
		scene_end(&scene);
	}
}

/* One that is deferred is tried in its time, and the message is not held. */
static void
test_one_held(void)
{
	for (unsigned held = 0; held < 2; held++) {
		const RecipientState *recipient;
		Scene scene;

		scene_start(&scene, 2);
		scene_hold(&scene, held, 0, "wait for it");
		scene_settle(&scene, 1 - held, SENT_DEFERRED, "450 4.2.1 later");
		settle_schedule(&scene.active);
		settle_hold(&scene.active);
		recipient = &scene.active.state->recipients[held];
		CU_ASSERT_FALSE(scene.active.state->is_held);
		CU_ASSERT_EQUAL(recipient->next_us, CLOCK_NEVER);
		CU_ASSERT_EQUAL(recipient->held_since_us, ARRIVED);
		CU_ASSERT_EQUAL(recipient->attempts, 0);
		check_wait(scene.active.state->next_us - ARRIVED, 300 * CLOCK_SECOND);
		scene_end(&scene);
	}
}

/* A host that does not exist is looked up again after the longest pause. */
static void
test_held_for_its_host(void)
{
	const RecipientState *recipient;
	Scene scene;

	scene_start(&scene, 1);
	scene.ways[0].ways = NULL;
	stay_ways_add(&scene.ways[0].ways, "gone.example", NULL);
	scene_settle(&scene, 0, SENT_HELD, "4.4.4 the next hop gone.example has no address");
	recipient = &scene.active.state->recipients[0];
	CU_ASSERT_EQUAL(recipient->next_us, ARRIVED + 4000 * CLOCK_SECOND);
	CU_ASSERT_TRUE(g_str_has_prefix(recipient->reply, "4.4.4 the next hop gone.example has no address: "));
	CU_ASSERT_NOT_EQUAL(recipient->way, 0);
	scene_end(&scene);
}

/* The same hold again writes nothing, another one does; each begins with the first. */
static void
test_held_again(void)
{
	Scene scene;

	scene_start(&scene, 1);
	scene_hold(&scene, 0, ARRIVED + DAY, "wait for it");
	CU_ASSERT_TRUE(scene.active.has_changes);
	scene.active.has_changes = false;
	scene.fixture->now_us += HOUR;
	scene_hold(&scene, 0, ARRIVED + DAY, "wait for it");
	CU_ASSERT_FALSE(scene.active.has_changes);
	scene_hold(&scene, 0, ARRIVED + 2 * DAY, "wait for it");
	CU_ASSERT_TRUE(scene.active.has_changes);
	CU_ASSERT_EQUAL(scene.active.state->recipients[0].next_us, ARRIVED + 2 * DAY);
	CU_ASSERT_EQUAL(scene.active.state->recipients[0].held_since_us, ARRIVED);
	scene.fixture->now_us += HOUR;
	scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
	CU_ASSERT_EQUAL(scene.active.state->recipients[0].held_since_us, 0);
	CU_ASSERT_EQUAL(scene.active.state->recipients[0].held_total_us, 2 * HOUR);
	scene_end(&scene);
}

/* ---- results ---- */

static void
test_results(void)
{
	static const struct {
		SentStatus status;
		unsigned notify;
		const char *sender;
		RecipientStatus becomes;
		bool has_results, has_changes;
	} cases[] = {
		{ SENT_OK, 0, "a@example.net", RECIPIENT_DELIVERED, true, false },
		{ SENT_FAILED, 0, "a@example.net", RECIPIENT_FAILED, true, false },
		{ SENT_FAILED, NOTIFY_FAILURE, "a@example.net", RECIPIENT_FAILED, true, false },
		{ SENT_FAILED, NOTIFY_DELAY | NOTIFY_SUCCESS, "a@example.net", RECIPIENT_BOUNCED, true, false },
		{ SENT_FAILED, NOTIFY_NEVER, "a@example.net", RECIPIENT_BOUNCED, true, false },
		{ SENT_FAILED, 0, "", RECIPIENT_BOUNCED, true, false },
		{ SENT_FAILED, NOTIFY_FAILURE, "", RECIPIENT_BOUNCED, true, false },
		{ SENT_DEFERRED, 0, "a@example.net", RECIPIENT_PENDING, false, true },
	};

	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		Scene scene;

		scene_start(&scene, 2);
		g_free(scene.message.envelope->sender);
		scene.message.envelope->sender = g_strdup(cases[k].sender);
		((Recipient *)g_ptr_array_index(scene.message.envelope->recipients, 1))->notify = cases[k].notify;
		scene_settle(&scene, 1, cases[k].status, "the reply");
		CU_ASSERT_EQUAL(scene.active.state->recipients[1].status, cases[k].becomes);
		CU_ASSERT_EQUAL(scene.active.state->recipients[0].status, RECIPIENT_PENDING);
		ASSERT_TEXT(scene.active.state->recipients[1].reply, "the reply");
		CU_ASSERT_EQUAL(scene.active.has_results, cases[k].has_results);
		CU_ASSERT_EQUAL(scene.active.has_changes, cases[k].has_changes);
		scene_end(&scene);
	}
}

/* A result counts once, whoever settles it again. */
static void
test_settled_once(void)
{
	Scene scene;

	scene_start(&scene, 1);
	scene_settle(&scene, 0, SENT_DEFERRED, "450 4.2.1 later");
	settle_recipient(&scene.active, 0);
	CU_ASSERT_EQUAL(scene.active.state->recipients[0].attempts, 1);
	CU_ASSERT_EQUAL(scene.active.deferred, 1);
	scene_end(&scene);
}

static const UnitTest tests[] = {
	{ "Q-07 pauses double from the least to the most", test_back_off },
	{ "Q-07 from attempt to attempt until it expires", test_back_off_over_days },
	{ "Q-07 a tenth of a pause is chance", test_spread },
	{ "Q-40 pauses of several recipients, in every order", test_recipients_in_every_order },
	{ "Q-40 a recipient without a turn", test_without_a_turn },
	{ "Q-07 Q-13 Q-40 what expires", test_expiry },
	{ "Q-07 Q-13 Q-40 what the sender is warned of", test_delay_warning },
	{ "Q-40 a message all of whose recipients are held", test_all_held },
	{ "Q-40 a hold beside a deferral", test_one_held },
	{ "a host that does not exist holds until it is looked up again", test_held_for_its_host },
	{ "a hold that goes on", test_held_again },
	{ "Q-08 results, and who is to hear of them", test_results },
	{ "a result counts once", test_settled_once },
	{ NULL, NULL },
};

const UnitSuite suite_settle = { "settle", tests };
