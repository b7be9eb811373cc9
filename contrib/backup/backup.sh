#!/bin/sh
# backup.sh FOLDER keeps the database and the documents there, while the daemon
# runs. It takes DATABASE_URL and FAX_DATA_DIR from the environment:
#
#	set -a; . /etc/faxbot/faxbot.env; set +a; backup.sh /backup/faxbot
#
# The database comes first: each of its faxes finds its documents, and documents
# that came later belong to no fax and are swept after a restore.
set -eu
: "${DATABASE_URL:=sqlite:////var/lib/faxbot/faxbot.db}" "${FAX_DATA_DIR:=/var/lib/faxbot/documents}"
to=${1:?usage: backup.sh FOLDER}
umask 077
mkdir -p "$to"
rm -f "$to"/*.new

case $DATABASE_URL in
sqlite:*)
	sqlite3 -cmd '.timeout 10000' "${DATABASE_URL#sqlite*:///}" "VACUUM INTO '$to/faxbot.db.new'"
	database=faxbot.db
	;;
*)
	pg_dump --format=custom --no-owner --file="$to/faxbot.dump.new" "postgresql://${DATABASE_URL#*://}"
	database=faxbot.dump
	;;
esac
# Status 1: a document was deleted meanwhile, because its time was over.
tar -C "$FAX_DATA_DIR" --exclude=./incoming -cf "$to/documents.tar.new" . || [ $? = 1 ]
for file in $database documents.tar; do
	sync "$to/$file.new"
	mv "$to/$file.new" "$to/$file"
done
