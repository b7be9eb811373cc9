#!/usr/bin/env bash
# Tries the packages on a Debian of their own, with systemd as its first
# process: installed, started, faxing through the simulator, upgraded in the
# middle of a fax, removed, purged; first the deb, then the rpm. Takes about two
# minutes. FAXBOT_TEST_DEBIAN names a debootstrapped folder to copy instead of
# making one.
set -euo pipefail
cd "$(dirname "$0")/../.."

for needed in debootstrap systemd-nspawn; do
	command -v $needed >/dev/null || { echo "skipped: $needed is not installed"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo 'skipped: only root may start a system in a folder'; exit 0; }

at=$(mktemp -d /tmp/faxbot-packages.XXXXXX)
trap 'rm -rf --one-file-system "$at"' EXIT
root=$at/root

make -s packages RELEASE=1.0.0 >/dev/null
first=$at/first && mkdir "$first" && mv bin/faxbot*1.0.0*.{deb,rpm} "$first"
make -s packages RELEASE=1.0.1 >/dev/null
second=$at/second && mkdir "$second" && mv bin/faxbot*1.0.1*.{deb,rpm} "$second"
make -s packages RELEASE=1.0.1 >/dev/null
for again in bin/faxbot*1.0.1*.{deb,rpm}; do
	cmp "$again" "$second/${again#bin/}" || { echo 'the same commit gave another package' >&2; exit 1; }
	rm "$again"
done

if [ -n "${FAXBOT_TEST_DEBIAN:-}" ]; then
	cp -a --reflink=auto "$FAXBOT_TEST_DEBIAN" "$root"
else
	debootstrap --variant=minbase --include=systemd-sysv,ghostscript,fonts-dejavu-core,curl,rpm bookworm "$root" >"$at/debootstrap.log" 2>&1 ||
		{ echo "skipped: no Debian can be had here: $(tail -1 "$at/debootstrap.log")"; exit 0; }
fi
systemd-nspawn --quiet --register=no --keep-unit --private-network -D "$root" true >/dev/null 2>&1 ||
	{ echo 'skipped: this machine does not let a system be started in a folder'; exit 0; }

mkdir -p "$root/try"
cp -r "$first" "$second" contrib/package/inside.sh cmd/faxbot/testfax/testfax.pdf "$root/try/"
cat >"$root/etc/systemd/system/try.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'bash /try/inside.sh >/try/log 2>&1; echo $? >/try/status; systemctl --force --force poweroff'
TimeoutStartSec=10min
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../try.service "$root/etc/systemd/system/multi-user.target.wants/try.service"
timeout 600 systemd-nspawn --quiet --register=no --keep-unit --private-network --boot -D "$root" </dev/null >"$at/console" 2>&1 || true
cat "$root/try/log" 2>/dev/null || cat "$at/console"
[ "$(cat "$root/try/status" 2>/dev/null)" = 0 ] || { echo 'the packages failed' >&2; exit 1; }
