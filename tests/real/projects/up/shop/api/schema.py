"""Makes the database, its tables and a user, and fills it with the stock of this checkout."""

import pathlib

import psycopg

import settings

TABLES = """
create table if not exists users (name text primary key, password text not null);
create table if not exists sessions (token text primary key, name text not null references users);
create table if not exists items (title text primary key);
"""

stock = pathlib.Path(__file__).resolve().parents[1].name

with psycopg.connect(settings.ADMIN, autocommit=True) as admin:
    known = admin.execute("select 1 from pg_roles where rolname = 'shop'").fetchone()
    if not known:
        admin.execute("create role shop login")
        admin.execute("create database shop owner shop")

with psycopg.connect(settings.DATABASE) as shop:
    shop.execute(TABLES)
    shop.execute("insert into users values ('anna', 'tea') on conflict do nothing")
    shop.execute("insert into items values (%s) on conflict do nothing", (f"kettle of {stock}",))

print(f"the stock of {stock} is there")
