#!/usr/bin/env bash
# demo - the main job, shown: references in a running gateway become secrets of AWS Secrets Manager.
#
# Run by `make demo`. Uses moto in the place of AWS; with AWS=1 the real service, by the credentials
# and the region of the environment. Stops all it started; exits non-zero where anything shown is
# not what it should be.
set -euo pipefail

cd "$(dirname "$0")/.."
tree=$PWD
venv=$(cd "${VAULT_VENV:-build/venv}" && pwd)
export PATH=$venv/bin:$PATH:/usr/sbin no_proxy=127.0.0.1 NO_PROXY=127.0.0.1
work=$(mktemp -d)
moto=''
created=()
wrong=0

# `vaults exec` wants a value for each reference in its environment; the caller's own may have none.
for name in $(compgen -e); do
    case ${!name} in
    '{vault://'* | '$secret://'* | '$'[Ee][Nn][Vv]'://'*) unset "$name" ;;
    esac
done

stop() {
    [ -f "$work/nginx.pid" ] && kill -QUIT "$(cat "$work/nginx.pid")" 2>/dev/null
    if [ "${AWS:-}" = 1 ]; then
        for name in "${created[@]}"; do
            aws secretsmanager delete-secret --secret-id "$name" \
                --force-delete-without-recovery >/dev/null || true
        done
    fi
    for _ in $(seq 100); do
        [ -f "$work/nginx.pid" ] || break
        sleep 0.05
    done
    examples/postgres.sh stop "$work/postgres"
    [ -n "$moto" ] && kill "$moto" 2>/dev/null && wait "$moto" 2>/dev/null
    rm -rf "$work"
    return 0
}
trap stop EXIT

free_ports() { # how many
    python -c 'import socket, sys
some = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in some:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in some))' "$1"
}

until_open() { # port, seconds
    for _ in $(seq $(($2 * 20))); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
        sleep 0.05
    done
    echo "nothing answers on port $1" >&2
    return 1
}

# What was asked for, what it must be (all of it, or with ~ in front a part of it), what it is.
judge() {
    local asked=$1 wanted=$2 got=$3
    printf '%-58s %s\n' "$asked" "$got"
    if [ "${wanted#\~}" != "$wanted" ]; then
        case $got in *"${wanted#\~}"*) return 0 ;; esac
    elif [ "$got" = "$wanted" ]; then
        return 0
    fi
    echo "   WRONG: it should be $wanted" >&2
    wrong=1
}

# A secret of the demo's own; one that is there already may be somebody's.
create() { # name, value or file://path
    aws secretsmanager create-secret --name "$1" --secret-string "$2" >/dev/null || {
        echo "the demo wants to make the secret $1 itself" >&2
        exit 1
    }
    created+=("$1")
}

put() { # name, value or file://path
    aws secretsmanager put-secret-value --secret-id "$1" --secret-string "$2" >/dev/null
}

read -r moto_port kong apisix proxy upstream tls port < <(free_ports 7)
if [ "${AWS:-}" = 1 ]; then
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:?set AWS_REGION}}
    export AWS_REGION=$region AWS_DEFAULT_REGION=$region
    echo "== AWS Secrets Manager in $region"
else
    moto_server -H 127.0.0.1 -p "$moto_port" >"$work/moto.log" 2>&1 &
    moto=$!
    until_open "$moto_port" 30
    unset AWS_PROFILE AWS_SESSION_TOKEN
    export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=not-a-real-key
    export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    export AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:$moto_port
    region=us-east-1
    echo "== moto stands for AWS Secrets Manager on port $moto_port"
fi
create secret-name '{"foo":"bar","snip":"snap"}'
create kong-gateway-database '{"pg_user":"kong","pg_password":"KongFTW"}'
create apisix-secrets '{"john-key-auth":"john-key"}'

export MY_SECRET_POSTGRES_PASSWORD=from-the-environment
examples/render.sh "$work" 8001="$kong" 9180="$apisix" 9080="$proxy" 8081="$upstream" \
    9443="$tls" 8080="$port"
pg_user='{vault://aws/kong-gateway-database/pg_user}'
pg_password='{vault://aws/kong-gateway-database/pg_password}'
KONG_PG_HOST=$work/postgres KONG_PG_USER=$pg_user KONG_PG_PASSWORD=$pg_password \
    nginx -p "$work" -c gateway.conf -e error.log 2>"$work/start.log" || {
    cat "$work/start.log" >&2
    exit 1
}
until_open "$port" 10
echo "== the example gateway (examples/gateway.conf) listens on port $port"

# A reference, and what curl must print for it.
show() {
    judge "$1" "$2" "$(curl -sS -G "http://127.0.0.1:$port/show" --data-urlencode "reference=$1")"
}

echo "== Kong's grammar"
show '{vault://aws/secret-name/foo?ttl=1}' bar
show '{vault://aws/secret-name/snip?ttl=1}' snap
show '{vault://aws/kong-gateway-database/pg_user}' kong
show '{vault://aws/kong-gateway-database/pg_password}' KongFTW
echo '== a vault of examples/vaults.yaml'
show "{vault://aws-sm-vault/secret-name/foo?region=$region}" bar
echo '== put-secret-value --secret-id secret-name, then a second for the ttl=1 to pass'
put secret-name '{"foo":"bar-2","snip":"snap-2"}'
sleep 1.1
show '{vault://aws/secret-name/foo?ttl=1#1}' bar-2
show '{vault://aws/secret-name/foo?ttl=1}' bar-2
show '{vault://aws/secret-name/foo?ttl=1#2}' bar
echo "== the environment, in both grammars"
show '{vault://env/my-secret-postgres-password}' from-the-environment
show '$env://MY_SECRET_POSTGRES_PASSWORD' from-the-environment
echo '== what is not there'
show '{vault://aws/no-such-secret/foo}' '~not_found: secret "no-such-secret" in '
show '{vault://aws/secret-name/no-such-key}' '~key_not_found: '
show '{vault://env/my-missing-secret}' '~not_found: '

# The header apikey, and the status and body that it must be answered with.
knock() {
    judge "apikey: $1" "$2" "$(curl -sS -o "$work/answer" -w '%{http_code} ' \
        "http://127.0.0.1:$proxy/anything" -H "apikey: $1"; cut -c 1-52 "$work/answer")"
}

echo "== Apache APISIX's how-to (examples/key-auth.conf): john's key is a reference"
reference='$secret://aws/john/apisix-secrets/john-key-auth'
echo '-- nobody has made the vault john yet: his reference means nothing'
knock john-key '401 {"message":"Invalid API key in request"}'
knock "$reference" '401 {"message":"Invalid API key in request"}'
judge 'PUT /apisix/admin/secrets/aws/john' '~"id":"aws/john"' "$(curl -sS -X PUT \
    "http://127.0.0.1:$apisix/apisix/admin/secrets/aws/john" -d '{ "region": "'"$region"'" }')"
sleep 1.1 # all workers know by then, and look again for what they did not find
show "$reference" john-key
knock john-key '~200 {'
knock wrong-key '401 {"message":"Invalid API key in request"}'
knock "$reference" '401 {"message":"Invalid API key in request"}'

# A certificate of this serial number and its key, as the secret that examples/tls.conf wants.
certify() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -set_serial "$1" -subj /CN=localhost -keyout "$work/tls.key" -out "$work/tls.pem" \
        2>/dev/null
    python -c 'import json, sys
certificate, key = (open(name).read() for name in sys.argv[1:])
print(json.dumps({"certificate": certificate, "key": key}))' "$work/tls.pem" "$work/tls.key" \
        >"$work/tls.json"
}

workers_now() {
    pgrep -P "$(cat "$work/nginx.pid")" | sort | paste -s -d ' '
}

serial() {
    openssl s_client -connect "127.0.0.1:$tls" </dev/null 2>/dev/null |
        openssl x509 -noout -serial 2>/dev/null || echo 'no certificate'
}

echo '== TLS (examples/tls.conf): the certificate and its key are references'
workers=$(workers_now)
judge 'before there is a secret gateway-tls' 'no certificate' "$(serial)"
certify 0x1001
create gateway-tls "file://$work/tls.json"
sleep 1.1
judge 'create-secret --name gateway-tls' serial=1001 "$(serial)"
certify 0x1002
put gateway-tls "file://$work/tls.json"
curl -sS -o "$work/answer" -X POST "http://127.0.0.1:$kong/vaults/aws/refresh"
sleep 1.1
judge 'put-secret-value, POST /vaults/aws/refresh, a second later' serial=1002 "$(serial)"
judge "nginx's workers, the same as before" "$workers" "$(workers_now)"

echo "== Kong's how-to: PostgreSQL (examples/database.conf)"
chmod 711 "$work" # root's PostgreSQL is nobody's
examples/postgres.sh start "$work/postgres"
export PGHOST=$work/postgres
KONG_PG_USER=kong
KONG_PG_PASSWORD=KongFTW
admin() { # SQL, what psql must print for it
    judge "psql -U admin -c \"${1/"$KONG_PG_PASSWORD"/***}\"" "$2" \
        "$(PGPASSWORD=password psql -U admin -c "$1")"
}
# What the gateway's worker and psql, run with references in its environment, are to the database.
log_in() {
    judge 'GET /database' kong "$(curl -sS "http://127.0.0.1:$port/database")"
    judge 'bin/vaults exec -- psql -d kong -c "SELECT current_user"' kong "$(PGUSER=$pg_user \
        PGPASSWORD=$pg_password bin/vaults exec -- \
        psql -At -d kong -c 'SELECT current_user')"
}
admin "CREATE USER ${KONG_PG_USER} WITH PASSWORD '${KONG_PG_PASSWORD}'" 'CREATE ROLE'
admin "CREATE DATABASE kong OWNER ${KONG_PG_USER};" 'CREATE DATABASE'
log_in
echo '== a new password, in the database and by put-secret-value; all connections break'
KONG_PG_PASSWORD=KongFTW-2
admin "ALTER USER ${KONG_PG_USER} WITH PASSWORD '${KONG_PG_PASSWORD}'" 'ALTER ROLE'
put kong-gateway-database '{"pg_user":"'${KONG_PG_USER}'","pg_password":"'${KONG_PG_PASSWORD}'"}'
PGPASSWORD=password psql -q -U admin >/dev/null \
    -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kong'"
log_in

echo '== Prometheus, and the command line'
judge 'GET /metrics' '~vault_fetches_total{outcome="ok"} ' \
    "$(curl -sS "http://127.0.0.1:$port/metrics" | grep -F 'vault_fetches_total{outcome="ok"}')"
judge 'bin/vaults get aws/secret-name/snip' snap-2 "$("$tree/bin/vaults" get aws/secret-name/snip)"

[ "$wrong" = 0 ] && echo '== all as it should be'
exit "$wrong"
