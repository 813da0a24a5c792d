#!/bin/sh
# postgres - a PostgreSQL of the demo's own, in the place of the how-to's container: its superuser
# is admin, whose password is "password"; all log in by SCRAM, on a Unix socket alone.
#
# postgres.sh start FOLDER   makes FOLDER, with the socket in it, and starts the server
# postgres.sh stop FOLDER    ends it, and removes FOLDER
#
# Where root runs it the server is nobody's, since PostgreSQL refuses to be root's: the way to
# FOLDER must be open to all.
set -eu

command=$1
folder=$2
programs=$(find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -n 1)
programs=${programs%initdb} # elsewhere than on Debian they are in PATH

run() {
    program=$programs$1
    shift
    if [ "$(id -u)" = 0 ]; then
        set -- setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$program" "$@"
    else
        set -- "$program" "$@"
    fi
    (cd "$folder" && "$@")
}

start() {
    mkdir "$folder"
    [ "$(id -u)" != 0 ] || chown nobody:nogroup "$folder"
    echo password >"$folder/password"
    run initdb -D "$folder/data" -U admin --pwfile="$folder/password" --auth=scram-sha-256 \
        --no-sync --locale=C --encoding=UTF8 >/dev/null
    cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$folder'
fsync = off
END
    run pg_ctl -D "$folder/data" -l "$folder/data/log" -w start >/dev/null
    PGPASSWORD=password psql -X -q -h "$folder" -U admin -d postgres -c 'CREATE DATABASE admin'
}

stop() {
    [ ! -f "$folder/data/postmaster.pid" ] ||
        run pg_ctl -D "$folder/data" -m immediate -w stop >/dev/null || true
    rm -rf "$folder"
}

case $command in
start | stop) "$command" ;;
*) exit 2 ;;
esac
