/* port-holder.c - the kernel says in which control group a socket was made: sock_diag(7), as ss(8) asks it. */
#include "io/port-holder.h"

#include <fcntl.h>
#include <glib.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOLDER_DEPTH = 16 }; /* groups below groups */

typedef struct {
	const IpAddress *address;
	uint16_t port;
	uint64_t group; /* its number; 0: none found */
	bool is_same;
} HolderSearch;

static bool
holder_ask(int fd, unsigned char family)
{
	const struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = { .head = { .nlmsg_len = sizeof request,
					  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
					  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << TCP_LISTEN } };

	return send(fd, &request, sizeof request, 0) == (ssize_t)sizeof request;
}

static IpAddress
holder_address(const struct inet_diag_msg *socket)
{
	IpAddress address = { { [10] = 0xff, [11] = 0xff } };

	if (socket->idiag_family == AF_INET)
		memcpy(address.bytes + 12, socket->id.idiag_src, 4);
	else
		memcpy(address.bytes, socket->id.idiag_src, 16);
	return address;
}

static uint64_t
holder_group(struct nlmsghdr *message)
{
	struct inet_diag_msg *socket = NLMSG_DATA(message);
	struct rtattr *attribute = (struct rtattr *)(void *)(socket + 1);
	int left = (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof *socket));
	uint64_t group = 0;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == INET_DIAG_CGROUP_ID && RTA_PAYLOAD(attribute) == sizeof group)
			memcpy(&group, RTA_DATA(attribute), sizeof group);
	return group;
}

static void
holder_take(HolderSearch *search, struct nlmsghdr *message)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(message);
	const IpAddress bound = holder_address(socket);
	const bool is_same = ip_equal(&bound, search->address);

	if (ntohs(socket->id.idiag_sport) != search->port || search->is_same ||
		(!is_same && !ip_is_unspecified(&bound)))
		return;
	search->group = holder_group(message);
	search->is_same = is_same;
}

/* False: there is no more. */
static bool
holder_take_all(HolderSearch *search, int fd)
{
	_Alignas(struct nlmsghdr) char octets[32 * 1024];
	ssize_t size = recv(fd, octets, sizeof octets, 0);
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)octets;

	if (size <= 0)
		return false;
	for (; NLMSG_OK(message, (size_t)size); message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return false;
		if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			holder_take(search, message);
	}
	return true;
}

static void
holder_search(HolderSearch *search, unsigned char family)
{
	const struct timeval patience = { .tv_sec = 5 };
	const int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (holder_ask(fd, family))
		while (holder_take_all(search, fd))
			continue;
	(void)close(fd);
}

/* ---- the name of a group: its number is that of its directory ---- */

/* Below `path`; new, NULL: none. */
static char *
holder_find_directory(const char *path, uint64_t number, unsigned depth)
{
	g_autoptr(GDir) dir = depth > 0 ? g_dir_open(path, 0, NULL) : NULL;
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *below = g_build_filename(path, name, NULL);
		struct stat facts;
		char *found;

		if (lstat(below, &facts) != 0 || !S_ISDIR(facts.st_mode))
			continue;
		if (facts.st_ino == number)
			return g_steal_pointer(&below);
		found = holder_find_directory(below, number, depth - 1);
		if (found != NULL)
			return found;
	}
	return NULL;
}

static char *
holder_group_path(uint64_t number)
{
	static const char *const roots[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		g_autofree char *found = holder_find_directory(roots[i], number, HOLDER_DEPTH);

		if (found != NULL)
			return g_strdup(found + strlen(roots[i]));
	}
	return NULL;
}

char *
port_holder_find(const IpAddress *address, uint16_t port, bool *is_same)
{
	HolderSearch search = { .address = address, .port = port };

	if (ip_is_v4(address))
		holder_search(&search, AF_INET);
	if (search.group == 0)
		holder_search(&search, AF_INET6);
	*is_same = search.is_same;
	return search.group != 0 ? holder_group_path(search.group) : NULL;
}

bool
port_holder_is_systemd(const char *group)
{
	return g_str_has_suffix(group, ".socket") || strcmp(group, "/init.scope") == 0;
}

const char *
port_holder_unit(const char *group)
{
	const char *slash = strrchr(group, '/');

	return slash != NULL ? slash + 1 : group;
}
