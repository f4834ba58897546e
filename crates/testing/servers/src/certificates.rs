//! Makes a certificate authority, and the certificate of a server on this machine.

use std::path::Path;
use std::process::Command;

use crate::program::{RunsAs, find, run};

/// `ca.pem`; `server.pem` and `server.key` for `localhost` and `127.0.0.1`.
const SCRIPT: &str = r#"
cd "$1" && umask 077 && cat >openssl.cnf <<END
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
END
new() {
    name=$1; shift
    "$openssl" req -config openssl.cnf -x509 -days 3650 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "$name.key" -out "$name.pem" "$@"
}
openssl=$2
new ca -extensions ca -subj "/CN=authority of a test" &&
new server -extensions server -subj "/CN=localhost" -CA ca.pem -CAkey ca.key
"#;

/// Makes them in `folder`.
pub(crate) fn make(folder: &Path, runs_as: RunsAs) {
    let openssl = find("openssl", &[], "openssl");
    let mut script = Command::new("sh");
    script
        .args(["-c", SCRIPT, "certificates"])
        .arg(folder)
        .arg(openssl);
    runs_as.apply(&mut script);
    run(script);
}
