/* command-table.h - the one table of commands, of the daemon and of posternctl itself.
 *
 * Each file that includes it defines the macros first and takes the columns that it links: commands.c the words, texts and
 * roles, control.c the functions of the daemon, posternctl.c those of posternctl.  For this reason it has no #pragma once.
 *
 * OF_DAEMON(group, words, arguments, help, takes, run, client, { need, verbs } …): `run` answers in the daemon.  `client` runs in
 * posternctl in its place, and asks the daemon itself; NULL: posternctl passes the request on.  Each verb is in one list of
 * `verbs`; "-" is the command alone, "*" whatever follows.
 * OF_POSTERNCTL(group, words, arguments, help, takes, client): the daemon does not know it.
 * OF_PLUGIN(group, words, arguments, help, plugin, { need, verbs } …): `posternctl PLUGIN` and the words behind the first.
 * A plugin's own PtnPlugin.short_words are the better way; what is left here is to go there. */

OF_DAEMON(COMMANDS_LOOK, "status", "[--check]", "one line: is all well?", TAKES_CHECK, control_status, NULL,
	{ NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_CHANGE, "reload", "", "check the configuration, then use it", 0, control_reload, NULL,
	{ NEEDS_CHANGING, "*" })
OF_DAEMON(COMMANDS_LOOK, "alarms", "", "what needs the administrator", 0, control_alarms, NULL,
	{ NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "plugins", "", "calls, time, refusals and failures of each plugin", 0, control_plugins,
	NULL, { NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "hooks", "", "the chain per stage", 0, control_hooks, NULL, { NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "metrics", "", "all counters", 0, control_metrics, NULL, { NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_ENTRIES, "customer",
	"add|set|show|enable|disable|remove NAME [OPTION=VALUE …]|list [FILTER …]", "customers", TAKES_HOLD,
	control_customer, NULL, { NEEDS_LOOKING, "- show list" },
	{ NEEDS_ENTRIES, "add set enable disable remove" })
OF_DAEMON(COMMANDS_ENTRIES, "domain", "add|set|show|remove NAME [OPTION=VALUE …]|list [FILTER …]",
	"mail domains", TAKES_YES, control_domain, NULL, { NEEDS_LOOKING, "- show list" },
	{ NEEDS_ENTRIES, "add set enable disable remove" })
OF_DAEMON(COMMANDS_ENTRIES, "account",
	"add|set|show|passwd|enable|disable|remove LOGIN [OPTION=VALUE …]|list [FILTER …]", "outbound accounts",
	TAKES_HOLD, control_account, NULL, { NEEDS_LOOKING, "- show list" },
	{ NEEDS_ENTRIES, "add set passwd enable disable remove" })
OF_DAEMON(COMMANDS_ENTRIES, "recipient", "add|show|remove ADDRESS|list [DOMAIN]",
	"addresses that domains with valid-recipients = yes take", 0, control_recipient, NULL,
	{ NEEDS_LOOKING, "- show list" }, { NEEDS_ENTRIES, "add set enable disable remove" })
OF_PLUGIN(COMMANDS_CHANGE, "complaint", "add LOGIN | add SUBMIT-ID TAG | list LOGIN",
	"complaints about the mail of an account (plugin standing)", "standing", { NEEDS_LOOKING, "list" },
	{ NEEDS_CHANGING, "add" })
OF_DAEMON(COMMANDS_CHANGE, "block", "list|show IP|add NETWORK [for=TIME|forever] [reason=TEXT]|lift NETWORK",
	"client addresses that may not connect", 0, control_block, NULL, { NEEDS_LOOKING, "list show" },
	{ NEEDS_CHANGING, "add lift" })
OF_DAEMON(COMMANDS_LOOK, "listeners", "", "addresses and ports on which mail is taken", 0, control_listeners,
	NULL, { NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "clients", "[ADDRESS|LOGIN]",
	"which client networks and accounts use how much of [clients] and [accounts]", 0, control_clients, NULL,
	{ NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_KEEP, "backup", "DIRECTORY",
	"stores, secrets and configuration into a directory, while the daemon runs", 0, control_backup,
	posternctl_backup, { NEEDS_OWNER, "*" })
OF_DAEMON(COMMANDS_ENTRIES, "export", "", "customers, domains, accounts and recipients as text", 0,
	control_export, NULL, { NEEDS_SECRETS, "*" })
OF_DAEMON(COMMANDS_ENTRIES, "import", "FILE [--dry-run]", "add and change them as a text says", TAKES_DRY_RUN,
	control_import, NULL, { NEEDS_ENTRIES, "*" })
OF_DAEMON(COMMANDS_CHANGE, "queue", "[list|show|cat|hold|release|retry|bounce|remove ID|SELECTOR … [--yes]]",
	"queued messages, and why they are not delivered yet", TAKES_YES | TAKES_DRY_RUN, control_queue, NULL,
	{ NEEDS_LOOKING, "- list show" },
	{ NEEDS_SECRETS, "cat" }, { NEEDS_CHANGING, "hold release retry bounce remove" })
OF_DAEMON(COMMANDS_LOOK, "why", "ADDRESS|LOGIN|CLIENT|SESSION|ID [limit=N]", "what was refused, and why", 0,
	control_why, NULL, { NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "doctor", "",
	"what others will think of this node: names, SPF, certificates, clock, disk", 0, control_doctor, NULL,
	{ NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "explain",
	"--client IP --from ADDRESS --to ADDRESS [--login LOGIN] [--listener NAME] [--helo NAME] [FILE]",
	"a message goes through the chain and is not queued: what each plugin says", 0, control_explain, NULL,
	{ NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_LOOK, "audit",
	"[customer=NAME] [domain=NAME] [account=LOGIN] [who=USER] [since=AGE|TIME] [limit=N]",
	"who changed what, newest first", 0, control_audit, NULL, { NEEDS_LOOKING, "*" })
OF_DAEMON(COMMANDS_CHANGE, "spool", "[adopt DIRECTORY]", "figures of the spool; take over that of a lost node", 0,
	control_spool, NULL, { NEEDS_LOOKING, "-" }, { NEEDS_CHANGING, "adopt" })
OF_DAEMON(COMMANDS_CHANGE, "stop", "", "ends the daemon", 0, control_end, NULL, { NEEDS_CHANGING, "*" })
OF_DAEMON(COMMANDS_LOOK, "help", "[COMMAND]", "the commands of the daemon; what one of them takes", 0,
	control_help, NULL, { NEEDS_LOOKING, "*" })
OF_POSTERNCTL(COMMANDS_KEEP, "spool check", "[DIRECTORY]", "verifies a spool that no daemon uses", 0,
	posternctl_check_spool)
OF_POSTERNCTL(COMMANDS_KEEP, "spool set-aside", "SEGMENT [DIRECTORY]",
	"starts without what the disk cannot read; no daemon may use the spool", 0, posternctl_set_aside)
OF_POSTERNCTL(COMMANDS_KEEP, "store copy", "FROM TO",
	"a store or directory into another back end; no daemon may use it", TAKES_YES, posternctl_copy_store)
OF_POSTERNCTL(COMMANDS_KEEP, "store init", "[directory|store]",
	"makes the Redis of a new installation ready; one that lost its data is restored instead", 0,
	posternctl_init_stores)
OF_POSTERNCTL(COMMANDS_KEEP, "restore", "DIRECTORY [--keep-config]",
	"a backup into this machine; no daemon may use its stores", TAKES_YES | TAKES_DRY_RUN, posternctl_restore)
OF_POSTERNCTL(COMMANDS_LOOK, "completion", "bash|zsh|fish",
	"prints the script that completes commands in that shell", 0, completion_print)
