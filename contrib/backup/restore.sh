#!/bin/sh
# restore.sh FOLDER puts back what backup.sh has kept, into an empty database
# (PostgreSQL: made with createdb; SQLite: no file) and an empty document folder.
# As root, so that owners and groups come back; the daemon must not run. It takes
# DATABASE_URL and FAX_DATA_DIR from the environment as backup.sh does.
set -eu
: "${DATABASE_URL:=sqlite:////var/lib/faxbot/faxbot.db}" "${FAX_DATA_DIR:=/var/lib/faxbot/documents}"
from=${1:?usage: restore.sh FOLDER}

if [ -d "$FAX_DATA_DIR" ] && [ -n "$(ls "$FAX_DATA_DIR" | grep -v '^incoming$')" ]; then
	echo "$FAX_DATA_DIR is not empty" >&2
	exit 1
fi
case $DATABASE_URL in
sqlite:*)
	file=${DATABASE_URL#sqlite*:///}
	[ ! -e "$file" ] || { echo "$file exists" >&2; exit 1; }
	mkdir -p "$(dirname "$file")"
	cp "$from/faxbot.db" "$file"
	chmod 600 "$file"
	chown --reference="$(dirname "$file")" "$file"
	;;
*) pg_restore --no-owner --exit-on-error --single-transaction --dbname="postgresql://${DATABASE_URL#*://}" "$from/faxbot.dump" ;;
esac
mkdir -p "$FAX_DATA_DIR"
tar -C "$FAX_DATA_DIR" -xpf "$from/documents.tar"

cat <<'NOTE'
Restored. What was sent after the backup is unknown to this database: start the
daemon with FAX_DISABLED=true, cancel the open faxes that have arrived since
(faxbot list --status queued, faxbot cancel), then start it without.
NOTE
