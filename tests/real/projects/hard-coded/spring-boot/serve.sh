#!/bin/sh
exec mvn -q spring-boot:run
