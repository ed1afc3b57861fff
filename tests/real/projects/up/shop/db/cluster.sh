# The files of the database, unless they are there.
set -eu
[ -e db/data/PG_VERSION ] ||
    initdb --pgdata db/data --username postgres --auth trust --encoding UTF8 --locale C --no-sync --no-instructions
