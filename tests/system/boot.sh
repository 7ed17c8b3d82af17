#!/bin/sh
# boot.sh CGROUP IMAGE PLACE HOSTNAME - boots the Debian in IMAGE with its own systemd, in namespaces of its own.
#
# Works on copies: what the machine writes goes to PLACE.  CGROUP is a new directory of the cgroup 2 hierarchy.  Of
# this machine's kernel the booted one may change nothing: no settings, no clock, no modules.  Ends when the machine does.
set -eu
mkdir "$1"
echo $$ >"$1/cgroup.procs"
# ends with whoever started it, however that ends
exec setpriv --pdeathsig KILL unshare --mount --pid --fork --uts --ipc --cgroup --net --kill-child -- sh -eu -c '
image=$1 place=$2 root=$2/root
mount --make-rprivate /
mkdir -p "$place/changes" "$place/work" "$root"
if ! mount -t overlay overlay -o "lowerdir=$image,upperdir=$place/changes,workdir=$place/work" "$root" 2>/dev/null; then
	# the disk is an overlay itself
	mount -t tmpfs tmpfs "$place"
	mkdir "$place/changes" "$place/work" "$root"
	mount -t overlay overlay -o "lowerdir=$image,upperdir=$place/changes,workdir=$place/work" "$root"
fi
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
while read -r name minor; do
	mknod -m 666 "$root/dev/$name" c 1 "$minor"
done <<EOF
null 3
zero 5
full 7
random 8
urandom 9
EOF
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
hostname "$3"
ip link set lo up
cd "$root"
mkdir -p .before
pivot_root . .before
umount -l .before
rmdir .before
# in a container systemd leaves this to whoever makes it; credentials reach services by it
mount --make-rshared /
exec env -i container=postern-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog /sbin/init
' boot "$2" "$3" "$4"
