#!/usr/bin/env bash
# demo - the main job, shown: references in a running gateway become secrets of AWS Secrets Manager.
#
# Run by `make demo`. Uses moto in the place of AWS; with AWS=1 the real service, by the credentials
# and the region of the environment. Stops all it started; exits non-zero where anything shown is
# not what it should be.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
python=$tree/build/venv/bin/python
work=$(mktemp -d)
moto=''
created=''
wrong=0

stop() {
    [ -f "$work/logs/nginx.pid" ] && kill -QUIT "$(cat "$work/logs/nginx.pid")" 2>/dev/null
    [ -n "$created" ] && "$python" "$tree/examples/seed.py" delete >/dev/null 2>&1
    for _ in $(seq 100); do
        [ -f "$work/logs/nginx.pid" ] || break
        sleep 0.05
    done
    [ -n "$moto" ] && kill "$moto" 2>/dev/null && wait "$moto" 2>/dev/null
    rm -rf "$work"
    return 0
}
trap stop EXIT

free_port() {
    "$python" -c 'import socket
with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    print(one.getsockname()[1])'
}

until_open() { # port, seconds
    for _ in $(seq $(($2 * 20))); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
        sleep 0.05
    done
    echo "nothing answers on port $1" >&2
    return 1
}

if [ "${AWS:-}" = 1 ]; then
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:?set AWS_REGION}}
    export AWS_REGION=$region AWS_DEFAULT_REGION=$region
    echo "== AWS Secrets Manager in $region"
else
    moto_port=$(free_port)
    "$tree/build/venv/bin/moto_server" -H 127.0.0.1 -p "$moto_port" >"$work/moto.log" 2>&1 &
    moto=$!
    until_open "$moto_port" 30
    unset AWS_PROFILE AWS_SESSION_TOKEN
    export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=not-a-real-key
    export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    export AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:$moto_port
    region=us-east-1
    echo "== moto stands for AWS Secrets Manager on port $moto_port"
fi
"$python" "$tree/examples/seed.py" create
created=1

export MY_SECRET_POSTGRES_PASSWORD=from-the-environment
port=$(free_port)
mkdir "$work/logs"
modules=
for module in ndk_http_module ngx_http_lua_module; do
    file=/usr/share/nginx/modules/$module.so
    [ -f "$file" ] || file=/usr/lib/nginx/modules/$module.so
    [ -f "$file" ] && modules="${modules}load_module $file;"
done
[ "$(id -u)" = 0 ] && modules="user root;$modules" # the tree may be readable by root alone
sed -e "s|@TREE@|$tree|g" -e "s|@PORT@|$port|" -e "s|@REGION@|$region|" \
    -e "s|@MODULES@|$modules|" "$tree/examples/gateway.conf" >"$work/nginx.conf"
nginx -p "$work" -c nginx.conf -e logs/error.log
until_open "$port" 10
echo "== the example gateway (examples/gateway.conf) listens on port $port"

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

# A reference, and what curl must print for it.
show() {
    judge "$1" "$2" "$(curl -sS -G "http://127.0.0.1:$port/show" --data-urlencode "reference=$1")"
}

echo "== Kong's grammar"
show '{vault://aws/secret-name/foo?ttl=1}' bar
show '{vault://aws/secret-name/snip?ttl=1}' snap
show '{vault://aws/kong-gateway-database/pg_user}' kong
show '{vault://aws/kong-gateway-database/pg_password}' KongFTW
echo '== put-secret-value --secret-id secret-name, then a second for the ttl=1 to pass'
"$python" "$tree/examples/seed.py" rotate
sleep 1.1
show '{vault://aws/secret-name/foo?ttl=1#1}' bar-2
show '{vault://aws/secret-name/foo?ttl=1}' bar-2
show '{vault://aws/secret-name/foo?ttl=1#2}' bar
echo "== Apache APISIX's grammar"
show '$secret://aws/john/apisix-secrets/john-key-auth' john-key
echo "== the environment, in both"
show '{vault://env/my-secret-postgres-password}' from-the-environment
show '$env://MY_SECRET_POSTGRES_PASSWORD' from-the-environment
echo '== what is not there'
show '{vault://aws/no-such-secret/foo}' '~not_found: secret "no-such-secret" in '
show '{vault://aws/secret-name/no-such-key}' '~key_not_found: '
show '{vault://env/my-missing-secret}' '~not_found: '
echo "== a plugin's configuration, and Prometheus"
judge 'GET /database' 'kong KongFTW' "$(curl -sS "http://127.0.0.1:$port/database")"
judge 'GET /metrics' '~vault_fetches_total{outcome="ok"} ' \
    "$(curl -sS "http://127.0.0.1:$port/metrics" | grep -F 'vault_fetches_total{outcome="ok"}')"
echo '== the command line'
judge 'bin/vaults get aws/secret-name/snip' snap-2 "$("$tree/bin/vaults" get aws/secret-name/snip)"

[ "$wrong" = 0 ] && echo '== all as it should be'
exit "$wrong"
