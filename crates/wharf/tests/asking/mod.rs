//! Asking by name inside a sandbox's network, as a browser does: the name decides, not the address.

#![allow(dead_code, unreachable_pub, reason = "each test file uses the part that it needs")]

use super::sandbox::{Answer, Sandbox, answer};

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code; 0 where nobody answered.
    pub status: u16,
    /// Every field, one a line.
    pub fields: String,
    /// The body.
    pub body: String,
}

/// Asks: address, port, host, method, path, fields.
pub const PROGRAM: &str = "\
import http.client, sys
address, port, host, method, path = sys.argv[1:6]
fields = [f.split(': ', 1) for f in sys.argv[6:]]
try:
    client = http.client.HTTPConnection(address, int(port), timeout=30)
    client.putrequest(method, path, skip_host=True)
    client.putheader('Host', host)
    for name, value in fields: client.putheader(name, value)
    client.endheaders()
    answer = client.getresponse()
    body = answer.read().decode(errors='replace')
    print(answer.status)
    print(''.join(f'{n}: {v}\\n' for n, v in answer.getheaders()), end='')
    print()
    print(body, end='')
except OSError as error:
    print('0')
    print(f'error: {error}')
    print()
";

/// Asks on 127.0.0.1 and this port for a host's path.
pub fn ask_on(
    sandbox: &Sandbox,
    port: u16,
    host: &str,
    (method, path): (&str, &str),
    fields: &[&str],
) -> Reply {
    let mut command = sandbox.program("python3");
    command.args(["-c", PROGRAM, "127.0.0.1", &port.to_string(), host, method, path]).args(fields);
    reply(&answer(command))
}

/// Reads what the program has printed.
pub fn reply(answer: &Answer) -> Reply {
    assert_eq!(answer.code, 0, "{answer:?}");
    let (status, rest) = answer.out.split_once('\n').expect("a status");
    let (fields, body) = rest.split_once("\n\n").or_else(|| rest.split_once('\n')).expect("fields");
    Reply {
        status: status.parse().expect("a number"),
        fields: fields.to_lowercase(),
        body: body.to_owned(),
    }
}

/// Asks the proxy on port 80 for a host's path.
pub fn get(sandbox: &Sandbox, host: &str, path: &str) -> Reply {
    ask_on(sandbox, 80, host, ("GET", path), &[])
}
