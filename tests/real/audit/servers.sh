#!/usr/bin/env bash
# Starts the servers that `cargo xtask audit` has judged, of each kind one that is open and one that is not, and has
# `wharf audit` judge them. For use in a network and a process namespace of its own, with which all of it ends.
#
#   servers.sh PARTS WORK WHARF PROJECTS
#
# Leaves WORK/own.json, and WORK/postgres.json by the user who runs PostgreSQL, which refuses to be root.
set -euo pipefail
parts=$1 work=$2 wharf=$3 projects=$4
# OASIS's, as it comes with npm's @microsoft/jest-sarif 1.0.0-beta.0 (MIT).
schema=$(cd "$(dirname "$0")" && pwd)/sarif-2.1.0-rtm.5.json
python=$parts/python/bin
export HOME=$work/home XDG_RUNTIME_DIR=$work/run
PATH=$PATH:/usr/sbin
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$work/notebooks"
chmod 700 "$HOME" "$XDG_RUNTIME_DIR"
ports=()

# serve PORT FOLDER COMMAND…: started there, its output kept.
serve() {
    local port=$1 folder=$2
    shift 2
    ports+=("$port")
    (cd "$folder" && exec "$@" >"$work/$port.log" 2>&1) &
}

redis() {
    mkdir -p "$work/redis-$1"
    serve "$1" "$work" redis-server --port "$1" --save '' --dir "$work/redis-$1" "${@:2}"
}
redis 6379 --bind 127.0.0.1
redis 6380 --bind 127.0.0.1 --requirepass secret
redis 6381 --bind 0.0.0.0 --protected-mode no

serve 9229 "$work" node --inspect=127.0.0.1:9229 -e 'setInterval(() => {}, 1000)'
serve 9230 "$work" node -e 'require("http").createServer((q, a) => a.end("{}")).listen(9230, "127.0.0.1")'

cat >"$work/Sleeper.java" <<'JAVA'
public class Sleeper {
    public static void main(String[] words) throws Exception {
        if (words.length > 0) new java.net.ServerSocket(Integer.parseInt(words[0]), 1, java.net.InetAddress.getLoopbackAddress());
        Thread.sleep(Long.MAX_VALUE);
    }
}
JAVA
serve 5005 "$work" java "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:5005" Sleeper.java
serve 5006 "$work" java "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5006" Sleeper.java
serve 5007 "$work" java Sleeper.java 5007

for project in flask django; do cp -r "$projects/$project" "$work/$project"; done
printf hello >"$work/flask/identity.txt"
printf hello >"$work/django/identity.txt"
serve 5001 "$work/flask" "$python/flask" run --debug --no-reload --port 5001
serve 5002 "$work/flask" "$python/flask" run --port 5002
serve 8003 "$work/django" "$python/python" manage.py runserver --noreload 127.0.0.1:8003

jupyter() {
    serve "$1" "$work/notebooks" "$parts/jupyter/bin/jupyter" server --allow-root --no-browser --port "$1" "${@:2}"
}
jupyter 8889 --IdentityProvider.token= --ServerApp.password=
jupyter 8890

# A project folder that is served with all that is in it, and one that is not.
mkdir -p "$work/site/public/list" "$work/site/.git"
printf 'SECRET_KEY=abc\n' >"$work/site/public/.env"
printf 'hello\n' >"$work/site/public/list/a.txt"
printf '<title>site</title>\n' >"$work/site/public/index.html"
printf '{"name": "site"}\n' >"$work/site/package.json"
nginx_site() {
    mkdir -p "$work/site/nginx-$1"
    cat >"$work/site/nginx-$1/nginx.conf" <<NGINX
daemon off; error_log stderr; pid nginx.pid; events {}
http {
    access_log off;
    client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    server { listen 127.0.0.1:$1; root $work/site/public; $2 }
}
NGINX
    serve "$1" "$work/site" nginx -p "$work/site/nginx-$1" -c nginx.conf
}
nginx_site 8081 'index none; autoindex on;'
nginx_site 8082 'location ~ /\. { return 404; }'

# Whoever may be root runs the database as the user who owns nothing.
as_owner=()
if [ "$(id -u)" = 0 ]; then
    as_owner=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
fi
mkdir -p "$work/postgres" "$work/owner/home" "$work/owner/run"
chmod 700 "$work/owner/run"
printf secret >"$work/postgres/password"
if [ "$(id -u)" = 0 ]; then chown -R 65534:65534 "$work/postgres" "$work/owner"; fi
postgres() {
    local data=$work/postgres/$1
    "${as_owner[@]}" "$parts/postgres/bin/initdb" -N -U postgres -A "$2" --pwfile="$work/postgres/password" \
        -D "$data" >"$work/initdb-$1.log" 2>&1
    serve "$1" "$work" "${as_owner[@]}" "$parts/postgres/bin/postgres" -D "$data" -p "$1" -h 127.0.0.1 -k ''
}
postgres 5432 trust
postgres 5433 scram-sha-256

# Until all of them listen.
deadline=$((SECONDS + 90))
for port in "${ports[@]}"; do
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        if [ "$SECONDS" -gt "$deadline" ]; then
            printf 'nobody listens on %s:\n' "$port" >&2
            tail -n 5 "$work/$port.log" >&2
            exit 1
        fi
        sleep 0.2
    done
done

cd "$work/site"
"$wharf" audit --listeners --answers --fail-on never --json >"$work/own.json"
# The published schema has the last word on SARIF.
"$wharf" audit --fail-on never --sarif >"$work/own.sarif"
"$python/python" -W ignore -m jsonschema -i "$work/own.sarif" "$schema"
env HOME="$work/owner/home" XDG_RUNTIME_DIR="$work/owner/run" "${as_owner[@]}" \
    "$wharf" audit --listeners --answers --fail-on never --json >"$work/postgres.json"
