#!/bin/sh
# render - a folder from which nginx runs the example gateway: nginx -p FOLDER -c gateway.conf
#
# render.sh FOLDER [PORT=OTHER ...]   8001=43210 puts port 43210 in the place of 8001
#
# For:   demo.sh and the specs: the example's files, with this machine's modules and paths in the
#        place of @NAMES@, and the certificate that tls.conf needs to start with.
# Never: starting anything.
#
# VAULT_BUILD is the folder that has vault/core.so (build), VAULT_TEST_NGINX another nginx.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
shift

build=${VAULT_BUILD:-build}
case $build in
/*) ;;
*) build=$tree/$build ;;
esac

# Debian's modules are files of their own; OpenResty's are part of the program.
modules=
path=$("${VAULT_TEST_NGINX:-nginx}" -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
for module in ndk_http_module ngx_http_lua_module; do
    if [ -f "$path/$module.so" ]; then
        modules="${modules}load_module $path/$module.so; "
    fi
done
if [ "$(id -u)" = 0 ]; then
    modules="user root; $modules" # root's own folders may be closed to others
fi

ports=
for word in "$@"; do
    ports="$ports
s/127\\.0\\.0\\.1:${word%%=*}([^0-9]|\$)/127.0.0.1:${word#*=}\\1/g"
done

mkdir -p "$folder"
for file in "$tree"/examples/*.conf "$tree"/examples/*.yaml; do
    sed -E -e "$ports" -e "s|@TREE@|$tree|g" -e "s|@BUILD@|$build|g" -e "s|@MODULES@|$modules|" \
        "$file" >"$folder/${file##*/}"
done

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=placeholder -keyout "$folder/placeholder.key" -out "$folder/placeholder.pem" \
    2>/dev/null
