#!/bin/sh
# As root on Debian: install packages, in one call, without letting them start their daemons.
set -eu

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-remove -o DPkg::Lock::Timeout=600 "$@"
}

# Lists that are there may be old, or none: only a failure is worth a new look.
apt install --no-install-recommends "$@" || { apt update; apt install --no-install-recommends "$@"; }
