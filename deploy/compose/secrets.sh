#!/usr/bin/env sh
# Makes the passwords that docker-compose.yml mounts as files, where there are none yet. Each is 32 random bytes; write
# your mail server's into secrets/mail_password.
set -eu
cd "$(dirname "$0")/../.."
umask 077
mkdir -p secrets
for name in redis_password grafana_password mail_password; do
  [ -s "secrets/$name" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "secrets/$name"
done
# Containers read them under users of their own, so the files are readable; the folder keeps everybody else out.
chmod 700 secrets && chmod 644 secrets/*
echo "secrets/: $(ls secrets | tr '\n' ' ')"
