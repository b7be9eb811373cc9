# What try.sh runs on the system in which the packages are tried.
set -euo pipefail
cd /try
export LC_ALL=C FAXBOT_API_KEY=key-of-the-trial

say() { echo "== $*"; }
die() {
	echo "FAILED: $*" >&2
	systemctl status --no-pager -n 30 faxbot >&2 || true
	exit 1
}
is() { [ "$1" = "$2" ] || die "$3 is '$1', not '$2'"; }
await() { # until the command succeeds
	for _ in $(seq 300); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	die "waited in vain for: $*"
}
ready() { curl -fsS http://127.0.0.1:8081/health/ready; }
mode() { stat -c '%U:%G %a' "$1"; }

# The settings of an administrator.
settle() {
	sed -i "s/^API_KEY=.*/API_KEY=$FAXBOT_API_KEY/" /etc/faxbot/faxbot.env
	echo '# a line of the administrator' >>/etc/faxbot/faxbot.env
}
send() { faxbot send testfax.pdf --to +15551230001 --wait >/dev/null || die "a fax was not delivered"; }
documents() { find /var/lib/faxbot/documents -name fax.tiff | sort | tail -1; }

# try KIND INSTALL UPGRADE REMOVE: a life of the package; the last three are commands.
try() {
	local kind=$1 install=$2 upgrade=$3 remove=$4
	say "$kind: install"
	$install
	is "$(mode /etc/faxbot/faxbot.env)" 'root:faxbot 640' 'the owner of the settings'
	is "$(mode /var/lib/faxbot)" 'faxbot:faxbot 711' 'the owner of the state'
	is "$(mode /var/lib/faxbot/documents)" 'faxbot:freeswitch 2750' 'the owner of the documents'
	systemd-analyze verify --man=no faxbot.service || die 'systemd finds fault with the unit'
	is "$(systemctl is-active faxbot || true)" inactive 'the daemon before it has settings'
	systemctl start faxbot 2>/dev/null && die 'it started without a key'
	is "$(systemctl show -P ExecMainStatus faxbot)" 2 'the status without a key'
	systemctl stop faxbot

	say "$kind: start and send"
	settle
	systemd-run --quiet --collect --unit=line faxbot simulate --speed=20
	await bash -c ': </dev/tcp/127.0.0.1/8021'
	systemctl enable --now faxbot 2>/dev/null
	await ready
	send
	! journalctl -u faxbot --no-pager | grep -i 'cannot be confined' || die 'Ghostscript is not confined'
	is "$(systemctl show -P NRestarts faxbot)" 0 'the number of restarts'

	say "$kind: what FreeSWITCH may read"
	local page
	page=$(documents)
	is "$(mode "$page")" 'faxbot:freeswitch 640' 'the owner of the pages'
	runuser -u freeswitch -- cat "$page" >/dev/null || die 'FreeSWITCH cannot read the pages'
	for secret in /etc/faxbot/faxbot.env /var/lib/faxbot/faxbot.db "${page%/*}/1.pdf"; do
		! runuser -u freeswitch -- cat "$secret" >/dev/null 2>&1 || die "FreeSWITCH may read $secret"
	done
	! runuser -u nobody -- cat "$page" >/dev/null 2>&1 || die 'everybody may read the pages'

	say "$kind: a daemon that hangs is started again"
	mkdir -p /run/systemd/system/faxbot.service.d
	printf '[Service]\nWatchdogSec=2\nRestartSec=100ms\n' >/run/systemd/system/faxbot.service.d/soon.conf
	systemctl daemon-reload
	systemctl restart faxbot
	await ready
	kill -STOP "$(systemctl show -P MainPID faxbot)"
	await bash -c '[ "$(systemctl show -P NRestarts faxbot)" != 0 ]'
	rm /run/systemd/system/faxbot.service.d/soon.conf
	systemctl daemon-reload
	await ready

	say "$kind: upgrade in the middle of a fax"
	local id before
	before=$(systemctl show -P MainPID faxbot)
	id=$(faxbot send testfax.pdf --to +15551230002 --json | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p')
	await bash -c "faxbot show $id --json | grep -q in_progress"
	$upgrade
	await bash -c '[ "$(systemctl show -P MainPID faxbot)" != '"$before"' ] && systemctl is-active faxbot'
	await ready
	await bash -c "faxbot show $id --json | grep -q SUCCESS"
	is "$(faxbot show "$id" --json | grep -o '"dials":[0-9]*')" '"dials":1' 'the calls of the fax'
	grep -q 'a line of the administrator' /etc/faxbot/faxbot.env || die 'the upgrade lost the settings'
	send

	say "$kind: remove"
	$remove
	[ ! -e /usr/bin/faxbot ] || die 'the program is still there'
	[ -s /var/lib/faxbot/faxbot.db ] && [ -s "$page" ] || die 'removing deleted faxes'
	is "$(systemctl is-active faxbot || true)" inactive 'the removed daemon'
	systemctl stop line
}

groupadd --system freeswitch
useradd --system -g freeswitch --no-create-home freeswitch

dpkg_install() { dpkg -i first/*.deb; }
dpkg_upgrade() { dpkg -i second/*.deb; }
dpkg_remove() { dpkg -r faxbot; }
try deb dpkg_install dpkg_upgrade dpkg_remove
[ -e /etc/faxbot/faxbot.env ] || die 'removing deleted the settings'
say 'deb: purge'
dpkg -P faxbot

nothing_left() {
	local left
	left=$(find / -xdev \( -path /proc -o -path /sys -o -path /try -o -path /var/log/journal \) -prune -o -iname '*faxbot*' -print)
	is "$left" '' 'what is left'
	! getent passwd faxbot && ! getent group faxbot || die 'the user is left'
}
nothing_left

# rpm has no database of what dpkg installed, therefore without dependencies.
rpm_install() { rpm -i --nodeps first/*.rpm; }
rpm_upgrade() { rpm -U --nodeps second/*.rpm; }
rpm_remove() { rpm -e faxbot; }
try rpm rpm_install rpm_upgrade rpm_remove
say 'rpm: what its last words say deletes the rest'
rm -rf /var/lib/faxbot /etc/faxbot && userdel faxbot
nothing_left
say passed
