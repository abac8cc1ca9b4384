#!/usr/bin/busybox sh
# What dockerlaunch is compared with: a good busybox script as PID 1. It does what an engine needs on an initramfs or a disk,
# with as few processes as busybox allows: once /proc is there, most applets run inside the shell.
#
#   init [beside] dockerd [ARGUMENTS]
#
# With `beside` it starts containerd beside dockerd, as early as it can, in the way of Docker's own packages.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
umask 022
if [ ! -e /proc/self ]; then
	/usr/bin/busybox mount -t proc -o nosuid,nodev,noexec proc /proc
fi

# pivot_root(2) refuses an initramfs: it is moved over itself.
if [ -z "$MOVED" ] && read -r device rest < /proc/mounts && [ "$device" = rootfs ]; then
	mkdir /run/root
	mount -o rbind / /run/root
	cd /run/root
	mount -o move . /
	MOVED=1 exec chroot . /usr/bin/busybox sh /bench/init "$@"
fi
unset MOVED

mount -t devtmpfs -o nosuid,strictatime,mode=755 dev /dev
exec < /dev/console > /dev/console 2>&1
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mkdir -p /dev/pts /dev/shm /dev/mqueue /dev/hugepages
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,strictatime,mode=1777 shm /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,strictatime,mode=755 run /run
mount -t securityfs -o nosuid,nodev,noexec securityfs /sys/kernel/security
mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf /sys/fs/bpf
mount -t hugetlbfs -o nosuid,nodev hugetlbfs /dev/hugepages
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
mount --make-rshared /
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
ln -s /proc/kcore /dev/core

mkdir -p /etc /tmp /root/.ssh /var/lib/docker /var/log
chmod 1777 /tmp
chmod 700 /root /root/.ssh
chmod 710 /var/lib/docker
[ -e /var/run ] || ln -s ../run /var/run
for link in bin lib lib64 sbin; do
	[ -e /$link ] || ln -s usr/$link /$link
done
[ -d /usr/etc ] && cp -a /usr/etc/. /etc
[ -e /etc/mtab ] || ln -s ../proc/self/mounts /etc/mtab
[ -s /etc/passwd ] || echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
[ -s /etc/group ] || printf 'root:x:0:\ndocker:x:999:\n' > /etc/group
[ -s /etc/hosts ] || printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' > /etc/hosts
[ -s /etc/nsswitch.conf ] || printf 'passwd: files\ngroup: files\nhosts: files dns\n' > /etc/nsswitch.conf
if [ ! -s /etc/machine-id ]; then
	read -r id < /proc/sys/kernel/random/uuid
	echo "${id//-/}" > /etc/machine-id
	chmod 444 /etc/machine-id
fi
echo docker > /proc/sys/kernel/hostname
ip link set lo up
ulimit -Hn 524288
ulimit -c unlimited
ulimit -u unlimited
echo -500 > /proc/self/oom_score_adj

# The modules of this list that neither the kernel has built in nor something has loaded.
load() {
	missing=
	for module; do
		[ -d /sys/module/$module ] || missing="$missing $module"
	done
	[ -z "$missing" ] || modprobe -a $missing
}

if [ "$1" = beside ]; then
	shift
	load overlay
	mkdir -p /etc/containerd
	[ -s /etc/containerd/config.toml ] ||
		printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' > /etc/containerd/config.toml
	containerd &
	beside=1
fi
load overlay bridge br_netfilter veth nf_nat xt_addrtype xt_conntrack xt_MASQUERADE
if [ -n "$beside" ]; then
	# dockerd would wait a second before it dials again.
	tries=0
	while [ ! -S /run/containerd/containerd.sock ] && [ $tries -lt 1000 ]; do
		usleep 10000
		tries=$((tries + 1))
	done
	exec "$@" --containerd=/run/containerd/containerd.sock
fi
exec "$@"
