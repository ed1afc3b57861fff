"""Where everything is. The front and the tools of the team count on these ports."""

PORT = 8000
DATABASE = "host=localhost port=5432 dbname=shop user=shop"
ADMIN = "host=localhost port=5432 dbname=postgres user=postgres"
