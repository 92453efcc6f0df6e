#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Becomes a systemd that manages a copy of this machine's files, and runs one trial of the unit. As root, as the first process
# of namespaces of its own (unshare --pid --mount --uts --ipc --net --cgroup --fork); systemd_test.py does that.
#   systemd_root.sh PROGRAM UNIT TRIAL OUT    PROGRAM and UNIT are installed as docs/deployment.md says. TRIAL, a script of
#                                             Python, is run by the systemd, with the folder OUT at /out for its findings
set -eu
program=$1 unit=$2 trial=$3 out=$4
work=$out/work
mkdir "$work"
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
mkdir -p out old usr/local/bin etc/qwen3guard etc/systemd/system/qwen3guard.service.d
mount --bind "$out" out

cp "$program" usr/local/bin/qwen3guard
cp "$unit" etc/systemd/system/qwen3guard.service
echo "trial trial-key-0123456789abcdef" > etc/qwen3guard/keys
chmod 600 etc/qwen3guard/keys
"$program" policy show strict > etc/qwen3guard/policy.json
cp "$trial" trial.py
printf '[Service]\nStandardError=append:/out/stderr\n' > etc/systemd/system/qwen3guard.service.d/trial.conf
cat > etc/systemd/system/trial.service << EOF
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=$(command -v python3) -B /trial.py
StandardOutput=append:/out/said
StandardError=append:/out/said
EOF

pivot_root . old
umount -l old
mount --make-rshared /
exec env -i container=other PATH="$PATH" /lib/systemd/systemd --system --unit=trial.service --log-target=null --show-status=no
