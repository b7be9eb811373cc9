#!/bin/bash
# try.sh [COMMIT] runs the daemon of that commit and the one of this tree side by
# side over one new PostgreSQL, both at one simulated switch, and has both send
# faxes: an upgrade of one host after the other. Without a COMMIT it is the last
# release, or while there is none the last commit with an older schema.
set -euo pipefail
cd "$(dirname "$0")/../.."
newest=$(ls controller/store/migrations/*.sql | tail -1)
old=${1:-$(git describe --tags --match 'v[0-9]*' --abbrev=0 HEAD~1 2>/dev/null || git log -1 --format=%H~1 --diff-filter=A -- "$newest")}
if ! git rev-parse -q --verify "$old^{commit}" >/dev/null; then
	echo "this clone has no commit \"$old\": fetch the history, or name another one" >&2
	exit 1
fi
bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/pg_ctl | tail -1)")
dir=$(mktemp -d)
chmod 755 "$dir"
pids=()
as_postgres() { # which refuses to be root
	local as=()
	[ "$(id -u)" != 0 ] || as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
	(cd "$dir" && "${as[@]}" "$@")
}
finish() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait || true
	as_postgres "$bin/pg_ctl" stop -w -s -m fast -D "$dir/pg/data" || true
	rm -rf "$dir"
}
trap finish EXIT

mkdir "$dir/source" "$dir/pg"
[ "$(id -u)" != 0 ] || chown postgres "$dir/pg"
git archive "$old" | tar -x -C "$dir/source"
(cd "$dir/source" && go build -o "$dir/old" ./cmd/faxbot)
go build -o "$dir/new" ./cmd/faxbot

as_postgres "$bin/initdb" -D "$dir/pg/data" --auth=trust --username=faxbot --no-sync >"$dir/pg.log"
as_postgres "$bin/pg_ctl" start -w -s -D "$dir/pg/data" -l "$dir/pg/log" \
	-o "-c listen_addresses= -c unix_socket_directories=$dir/pg -c fsync=off"
export DATABASE_URL="postgres:///postgres?host=$dir/pg&user=faxbot&sslmode=disable" API_KEY=key FAX_DATA_DIR=$dir/faxes \
	FREESWITCH_ESL_PASSWORD=word FAXBOT_LISTEN=127.0.0.1:0 FAXBOT_INTERNAL_LISTEN=127.0.0.1:0 FAXBOT_SOCKET_LISTEN=127.0.0.1:0

await() { # FILE WORDS
	for _ in $(seq 300); do
		grep -q "$2" "$1" && return
		sleep 0.1
	done
	echo "it does not say \"$2\":" >&2
	tail "$1" >&2
	exit 1
}
"$dir/new" simulate --listen=127.0.0.1:0 --speed=50 --password=word --ledger="$dir/ledger" >"$dir/switch.log" 2>&1 &
pids+=($!)
await "$dir/switch.log" 'event socket'
export FREESWITCH_ESL_PORT
FREESWITCH_ESL_PORT=$(sed -n 's/.*event socket" address=[^ ]*:\([0-9]*\).*/\1/p' "$dir/switch.log")
declare -A url
serve() {
	FAXBOT_HOST=$1 "$dir/$1" serve >"$dir/$1.log" 2>&1 &
	pids+=($!)
	await "$dir/$1.log" 'command link is up'
	url[$1]=http://$(sed -n 's/.*for=REST address=\([^ ]*\).*/\1/p' "$dir/$1.log")
}
faxes=()
send() { # HOST NUMBER
	faxes+=("$(curl -fsS -H 'X-API-Key: key' -F to="$2" -F "file=@$dir/fax.txt;type=text/plain" "${url[$1]}/fax" |
		sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')")
}
printf 'Page one\fPage two\n' >"$dir/fax.txt"
tables() { as_postgres "$bin/psql" -h "$dir/pg" -U faxbot -Atc 'SELECT max(version_id) FROM faxbot_schema' postgres; }
serve old
schema=$(tables)
send old +15551000001
serve new # which brings the tables up to date
for n in 2 3 4 5 6; do
	send old +1555100000$n
	send new +1555200000$n
done
for fax in "${faxes[@]}"; do
	for host in old new; do
		for _ in $(seq 300); do
			state=$(curl -fsS -H 'X-API-Key: key' "${url[$host]}/fax/$fax" | grep -o '"state":"[a-z]*"' | head -1 | cut -d'"' -f4)
			[ "$state" = done ] && break
			sleep 0.1
		done
		[ "$state" = done ] || { echo "$fax is $state at the $host host" >&2; exit 1; }
	done
done
dials=$(grep -c '"dial"' "$dir/ledger")
[ "$dials" = ${#faxes[@]} ] || { echo "$dials calls for ${#faxes[@]} faxes" >&2; exit 1; }
! grep level=ERROR "$dir/old.log" "$dir/new.log" || exit 1
echo "$old (schema $schema) beside this tree (schema $(tables)): ${#faxes[@]} faxes delivered, $dials calls; by host:" \
	"$(as_postgres "$bin/psql" -h "$dir/pg" -U faxbot -Atc "SELECT string_agg(host || ' ' || n, ', ') FROM (SELECT host, count(*) AS n FROM attempts GROUP BY host) AS a" postgres)"
