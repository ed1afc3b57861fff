//! Beyond this machine (`wharf run --lan`): a second network namespace is the phone.

mod asking;
mod sandbox;

use std::io::Read;
use std::process::{Child, Command, Stdio};

use asking::{PROGRAM, Reply, ask_on, get, reply};
use sandbox::{Answer, Sandbox, answer, until};

const SERVER: &[&str] = &["--lan", "--", "python3", "-m", "http.server"];
/// The addresses of wharf's machine in the network that it has in common with the phone.
const OWN: [&str; 2] = ["192.168.77.1", "fd77::1"];
const NAME: &str = "project.local";

/// Another machine, at the other end of a cable.
struct Phone(Background);

/// A process that ends with its test, however that ends.
struct Background(Child);

impl Background {
    /// Starts it and waits for its first line.
    fn start(command: &mut Command) -> Background {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Background(command.spawn().unwrap());
        let mut line = [0];
        while line != *b"\n" {
            child.0.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        }
        child
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Phone {
    fn new(sandbox: &Sandbox) -> Phone {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo up && exec sleep 100000"]);
        let phone = Phone(Background::start(&mut command));
        let netns = phone.0.0.id().to_string();
        let cable =
            ["link", "add", "wan0", "type", "veth", "peer", "name", "eth0", "netns", &netns];
        ip(sandbox.program("ip"), &cable);
        for (own, other) in [(OWN[0], "192.168.77.2"), (OWN[1], "fd77::2")] {
            add(|| sandbox.program("ip"), "wan0", own);
            add(|| phone.program("ip"), "eth0", other);
        }
        for name in ["lo", "eth0"] {
            ip(phone.program("ip"), &["link", "set", name, "up"]);
        }
        ip(sandbox.program("ip"), &["link", "set", "wan0", "up"]);
        let shown = || {
            let mut command = sandbox.program("ip");
            command.args(["-br", "link", "show", "wan0"]);
            answer(command).out.contains(" UP ").then_some(())
        };
        until(shown).expect("the kernel sees that there is a cable");
        phone
    }

    fn program(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.0.0.id())).arg(program);
        command
    }

    /// Asks at an address for the root of a host.
    fn ask(&self, (address, port): (&str, u16), host: &str, fields: &[&str]) -> Reply {
        let mut command = self.program("python3");
        let port = port.to_string();
        command.args(["-c", PROGRAM, address, &port, host, "GET", "/"]).args(fields);
        reply(&answer(command))
    }
}

fn add(program: impl Fn() -> Command, device: &str, address: &str) {
    let (length, nodad): (&str, &[&str]) =
        if address.contains(':') { ("/64", &["nodad"]) } else { ("/24", &[]) };
    let address = format!("{address}{length}");
    ip(program(), &[&["address", "add", address.as_str(), "dev", device], nodad].concat());
}

fn ip(mut command: Command, args: &[&str]) {
    assert!(command.args(args).status().unwrap().success(), "{args:?}");
}

/// What the proxy listens on beyond loopback.
fn listeners(sandbox: &Sandbox) -> Vec<String> {
    let status = sandbox.output(&["proxy", "status", "--json"]).json();
    let all = status["listeners"].as_array().unwrap().iter();
    let text = all.map(|one| format!("{} {}", one["address"].as_str().unwrap(), one["port"]));
    text.filter(|one| !one.starts_with("127.") && !one.starts_with("::1")).collect()
}

#[test]
fn a_phone_reaches_the_service_that_says_so_as_long_as_it_runs_and_no_other() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    let other = sandbox.dir().join("second");
    std::fs::create_dir_all(other.join(".git")).unwrap();
    let mut second = sandbox.run_in(&other, &SERVER[1..]);
    second.event("ready");
    assert_eq!(listeners(&sandbox), [""; 0], "nobody has asked for it");
    let mut run = sandbox.run(SERVER);
    let said = run.said("OPEN TO THE LAN");
    assert!(said.contains("http://project.local (192.168.77.1, fd77::1)"), "{said}");
    assert!(said.contains("without `--lan`"), "{said}");
    assert_eq!(run.event("exposed")["address"], OWN[0]);
    for address in OWN {
        let at = (address, 80);
        assert_eq!(phone.ask(at, NAME, &[]).status, 200, "{address}");
        for host in ["project.localhost", "second.localhost", "second.local", OWN[0], "[fd77::1]"] {
            let reply = phone.ask(at, host, &[]);
            assert_eq!(reply.status, 421, "{host}: {reply:?}");
        }
    }
    let at = (OWN[0], 80);
    let from = |origin: &str| {
        let origin = format!("Origin: {origin}");
        phone.ask(at, NAME, &["Sec-Fetch-Site: cross-site", &origin]).status
    };
    assert_eq!(from("http://project.local"), 200);
    assert_eq!(from("http://evil.example"), 403);
    assert_eq!(from("http://second.localhost"), 403);
    assert_eq!(get(&sandbox, "project.localhost", "/").status, 200, "its own name stays");
    let ls = sandbox.output(&["ls"]).out;
    let line = |name: &str| ls.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("project").contains(" LAN! ") && line("second").contains(" loopback "), "{ls}");
    assert!(!ls.contains('\x1b'), "no colour on a pipe");
    let json = sandbox.output(&["ls", "--json"]).json();
    let lan = |at: usize| {
        (json["instances"][at]["service"].clone(), json["instances"][at]["access"]["lan"].clone())
    };
    assert_eq!([lan(0), lan(1)], [("web".into(), true.into()), ("web".into(), false.into())]);
    let status = sandbox.output(&["proxy", "status"]).out;
    assert!(status.contains("192.168.77.1:80") && status.contains("LAN!"), "{status}");
    run.signal("TERM");
    run.code();
    let gone = until(|| (phone.ask(at, NAME, &[]).status == 0).then_some(()));
    gone.expect("nobody listens there any more");
    assert_eq!(listeners(&sandbox), [""; 0]);
    assert_eq!(get(&sandbox, "second.localhost", "/").status, 200);
}

#[test]
fn without_a_network_it_says_so_and_runs_and_is_there_when_one_comes() {
    let sandbox = Sandbox::new();
    sandbox.file("wharf.toml", "[service.web]\nlan = true\n");
    let mut run = sandbox.run(&SERVER[1..]);
    let said = run.said("other machines cannot reach it");
    assert!(said.contains("this machine has no address"), "{said}");
    assert_eq!(get(&sandbox, "project.localhost", "/").status, 200);
    let phone = Phone::new(&sandbox);
    let there = until(|| (phone.ask((OWN[0], 80), NAME, &[]).status == 200).then_some(()));
    there.expect("it looks for addresses while it runs");
    run.said("OPEN TO THE LAN at http://project.local");
    ip(sandbox.program("ip"), &["link", "set", "wan0", "down"]);
    until(|| listeners(&sandbox).is_empty().then_some(())).expect("and for those that go");
    assert!(!run.ended());
}

#[test]
fn a_port_that_one_address_has_no_more_gives_another_for_all() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    sandbox.file(
        "holder.py",
        "import socket\n\
         s = socket.create_server(('fd77::1', 80), family=socket.AF_INET6)\n\
         print('held', flush=True)\n\
         s.accept()\n",
    );
    let _holder = Background::start(sandbox.program("python3").arg("holder.py"));
    let run = sandbox.run(SERVER);
    let said = run.said("OPEN TO THE LAN");
    assert!(said.contains("http://project.local:4080 "), "{said}");
    assert_eq!(listeners(&sandbox), ["192.168.77.1 4080", "fd77::1 4080"]);
    for address in OWN {
        assert_eq!(phone.ask((address, 4080), "project.local:4080", &[]).status, 200);
    }
    let reply = ask_on(&sandbox, 80, "project.localhost", ("GET", "/"), &[]);
    assert_eq!(reply.status, 200, "on loopback it is 80 all the same");
    let notes = sandbox.output(&["proxy", "status"]).out;
    assert!(notes.contains("[fd77::1]:80 cannot be had for the LAN"), "{notes}");
}

#[test]
fn what_keeps_it_to_this_machine_does_not_go_with_it() {
    let sandbox = Sandbox::new();
    for option in ["--no-daemon", "--loopback", "--remap=address"] {
        let answer = sandbox.output(&["run", option, "--lan", "--", "true"]);
        assert_eq!(answer.code, 2, "{option}: {answer:?}");
        assert!(answer.err.contains("--lan"), "{answer:?}");
    }
    let config = sandbox.dir().join("home/.config/wharf");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("settings.toml"), "proxy = \"off\"\n").unwrap();
    let answer = sandbox.output(&["run", "--lan", "--", "true"]);
    assert_eq!((answer.code, answer.err.contains("proxy")), (2, true), "{answer:?}");
    std::fs::write(config.join("settings.toml"), "").unwrap();
    sandbox.file("wharf.toml", "[service.web]\nlan = true\n");
    let answer = sandbox.output(&["run", "--no-daemon", "--", "true"]);
    assert_eq!((answer.code, answer.err.contains("LAN")), (0, false), "{answer:?}");
}

#[test]
fn the_next_daemon_has_what_the_last_one_had() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    let run = sandbox.run(SERVER);
    run.said("OPEN TO THE LAN");
    let open = ["192.168.77.1 80", "fd77::1 80"];
    for _ in 0..3 {
        assert_eq!(sandbox.output(&["daemon", "restart"]).code, 0);
        // Handed over: nobody is refused in between, and no other port is taken.
        assert_eq!(phone.ask((OWN[0], 80), NAME, &[]).status, 200);
        until(|| (listeners(&sandbox) == open).then_some(())).expect("the same as before");
    }
    drop(run);
}

#[test]
fn a_killed_daemon_comes_back_with_what_was_open() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    let run = sandbox.run(SERVER);
    run.said("OPEN TO THE LAN");
    let pid = || sandbox.output(&["daemon", "status", "--json"]).json()["pid"].clone();
    let before = pid();
    sandbox::signal(u32::try_from(before.as_u64().unwrap()).unwrap(), "KILL");
    // Nobody types a command: the pilot sees to it, and until then the phone meets nobody.
    let back = until(|| (phone.ask((OWN[0], 80), NAME, &[]).status == 200).then_some(()));
    back.expect("the next daemon opens it again");
    assert_ne!(pid(), before);
}

/// Who has that name already, at another address, and says so to everybody who asks.
const RIVAL: &str = "\
import socket, struct
group, own = '224.0.0.251', socket.inet_aton('192.168.77.2')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 5353))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + own)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
name = b'\\x07project\\x05local\\x00'
print('listening', flush=True)
while True:
    data, _ = s.recvfrom(9000)
    # A name may be shortened to its first label.
    if data[2] & 0x80 or name[:8] not in data: continue
    answer = name + struct.pack('!HHIH', 1, 0x8001, 120, 4) + socket.inet_aton('192.168.77.9')
    s.sendto(struct.pack('!6H', 0, 0x8400, 0, 1, 0, 0) + answer, (group, 5353))
";

#[test]
fn a_name_that_another_machine_has_is_told_of() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    let _rival = Background::start(phone.program("python3").args(["-c", RIVAL]));
    let run = sandbox.run(SERVER);
    run.said("OPEN TO THE LAN");
    let told = until(|| {
        let status = sandbox.output(&["proxy", "status"]).out;
        status.contains("project.local is another machine's name").then_some(())
    });
    told.expect("the next look finds it");
}

/// Listens to the network as a resolver does, and asks again every second.
const RESOLVER: &str = "\
import socket, struct, sys, time
host, limit, told = sys.argv[1], float(sys.argv[2]), open(sys.argv[3], 'w')
def tell(*words): print(*words, file=told, flush=True)
group = '224.0.0.251'
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 5353))
own = socket.inet_aton('192.168.77.2')
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + own)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
s.settimeout(0.5)
def labels(name): return b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\\0'
def read(data, at):
    name, end = [], None
    while data[at]:
        if data[at] >= 0xc0:
            end = end or at + 2
            at = (data[at] & 0x3f) << 8 | data[at + 1]
        else:
            name.append(data[at + 1:at + 1 + data[at]].decode()); at += 1 + data[at]
    return '.'.join(name), end or at + 1
def records(data):
    questions, *rest = struct.unpack('!4H', data[4:12])
    at = 12
    for _ in range(questions): at = read(data, at)[1] + 4
    for _ in range(sum(rest)):
        name, at = read(data, at)
        type, _, ttl, length = struct.unpack('!HHIH', data[at:at + 10])
        at += 10
        yield name, type, ttl, data[at:at + length], at, data
        at += length
print('listening', flush=True)
end = time.monotonic() + limit
asked = 0
while time.monotonic() < end:
    if time.monotonic() - asked > 1:
        asked = time.monotonic()
        for name, type in ((host, 1), (host, 28), ('_http._tcp.local', 12)):
            s.sendto(struct.pack('!6H', 0, 0, 1, 0, 0, 0) + labels(name) + struct.pack('!HH', type, 1), (group, 5353))
    try: data, who = s.recvfrom(9000)
    except TimeoutError: continue
    if not data[2] & 0x80: continue
    for name, type, ttl, value, at, whole in records(data):
        if type == 1 and name == host:
            tell('A', socket.inet_ntoa(value), 'goodbye' if ttl == 0 else 'here')
        if type == 28 and name == host: tell('AAAA', socket.inet_ntop(socket.AF_INET6, value))
        if type == 12: tell('PTR', read(whole, at)[0], 'goodbye' if ttl == 0 else 'here')
        if type == 33: tell('SRV', name, struct.unpack('!H', value[4:6])[0])
";

/// The interfaces on which somebody listens for multicast DNS (224.0.0.251, as the kernel writes it).
fn asked_on(sandbox: &Sandbox) -> Vec<String> {
    let mut command = sandbox.program("cat");
    command.arg("/proc/net/igmp");
    let mut device = String::new();
    let mut found = Vec::new();
    for line in answer(command).out.lines().skip(1) {
        match line.starts_with(char::is_numeric) {
            true => device = line.split_whitespace().nth(1).unwrap().to_owned(),
            false if line.contains("FB0000E0") => found.push(device.clone()),
            false => {}
        }
    }
    found
}

#[test]
fn the_phone_finds_the_name_and_hears_when_it_goes() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    // A tunnel to elsewhere, which nobody in this network is at the end of.
    ip(sandbox.program("ip"), &["tuntap", "add", "mode", "tun", "tun0"]);
    ip(sandbox.program("ip"), &["address", "add", "10.9.9.1", "peer", "10.9.9.2", "dev", "tun0"]);
    ip(sandbox.program("ip"), &["link", "set", "tun0", "up"]);
    let heard = sandbox.dir().join("heard");
    let heard_by = heard.to_str().unwrap();
    let arguments = ["-c", RESOLVER, NAME, "100", heard_by];
    let _resolver = Background::start(phone.program("python3").args(arguments));
    let hears = |text: &str| {
        let found = until(|| {
            let heard = std::fs::read_to_string(&heard).unwrap_or_default();
            heard.contains(text).then_some(())
        });
        found.unwrap_or_else(|| {
            panic!("never heard `{text}`:\n{}", std::fs::read_to_string(&heard).unwrap())
        });
    };
    let mut run = sandbox.run(SERVER);
    run.said("OPEN TO THE LAN");
    hears("A 192.168.77.1 here");
    hears("AAAA fd77::1");
    hears("PTR project._http._tcp.local here");
    hears("SRV project._http._tcp.local 80");
    assert_eq!((listeners(&sandbox).len(), asked_on(&sandbox)), (2, vec!["wan0".to_owned()]));
    run.signal("TERM");
    run.code();
    hears("PTR project._http._tcp.local goodbye");
    until(|| asked_on(&sandbox).is_empty().then_some(())).expect("nobody listens for questions");
}

#[test]
fn the_mark_is_red_on_a_terminal() {
    let sandbox = Sandbox::new();
    let phone = Phone::new(&sandbox);
    let run = sandbox.run(SERVER);
    run.said("OPEN TO THE LAN");
    let on_a_terminal = |variables: &[&str]| -> Answer {
        let mut command = sandbox.program("env");
        let ls = format!("{} ls", env!("CARGO_BIN_EXE_wharf"));
        command.args(variables).args(["TERM=xterm", "script", "-qec", &ls, "/dev/null"]);
        answer(command)
    };
    let red = on_a_terminal(&[]).out;
    assert!(red.contains("\x1b[1m\x1b[31mLAN!\x1b[0m"), "{red:?}");
    let plain = on_a_terminal(&["NO_COLOR=1"]).out;
    assert!(plain.contains("LAN!") && !plain.contains("\x1b[31m"), "{plain:?}");
    drop(phone);
}
