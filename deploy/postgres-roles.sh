#!/bin/bash
# Run once by the image of PostgreSQL, on its empty database: the roles that docs/postgresql.md explains.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v password="$DATABASE_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE castiel_owner NOLOGIN;
CREATE ROLE castiel_app NOLOGIN;
CREATE ROLE castiel_operator NOLOGIN;
CREATE ROLE castiel LOGIN NOINHERIT PASSWORD :'password' IN ROLE castiel_owner, castiel_app, castiel_operator;
CREATE DATABASE castiel OWNER castiel_owner ENCODING 'UTF8' TEMPLATE template0;
SQL
