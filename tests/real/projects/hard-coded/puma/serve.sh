#!/bin/sh
exec puma
