//! Calls that are answered by wharf behave as the kernel's own: signals, time limits, errors.

mod sandbox;

use std::process::{Child, Stdio};

use sandbox::{Answer, Sandbox, until};

/// Somebody else on port 8000, so that a program that names it is on another port, and its connects are
/// answered by wharf.
struct Stranger(Child);

impl Stranger {
    fn new(sandbox: &Sandbox) -> Stranger {
        let program = "import socket, time\n\
                       server = socket.create_server(('127.0.0.1', 8000))\n\
                       while True: server.accept()[0].sendall(b'stranger')";
        let mut command = sandbox.program("python3");
        command.args(["-c", program]).stdout(Stdio::null()).stderr(Stdio::null());
        let stranger = Stranger(command.spawn().expect("python3 is there"));
        let asks = "import socket; socket.create_connection(('127.0.0.1', 8000))";
        until(|| {
            let mut command = sandbox.program("python3");
            command.args(["-c", asks]);
            (sandbox::answer(command).code == 0).then_some(())
        })
        .expect("it listens");
        stranger
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a Python program under wharf to its end.
fn python(sandbox: &Sandbox, options: &[&str], program: &str) -> Answer {
    let program = format!("{PRELUDE}{program}");
    let mut args = vec!["run"];
    args.extend(options);
    args.extend(["--", "python3", "-c", &program]);
    sandbox.output(&args)
}

/// `full()` is a listener on port 8000 to which nobody else can connect: a blocking connect waits.
const PRELUDE: &str = "\
import os, signal, socket, sys, threading, time
HERE = ('127.0.0.1', 8000)
def full():
    server = socket.create_server(HERE, backlog=0)
    clients = [socket.socket() for _ in range(4)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(HERE)
    return server, clients
";

#[test]
fn a_signal_ends_a_connect_that_waits() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let program = "\
keep = full()
class Alarm(Exception): pass
def alarm(*_): raise Alarm
signal.signal(signal.SIGALRM, alarm)
signal.setitimer(signal.ITIMER_REAL, 0.3)
client = socket.socket()
try:
    client.connect(HERE)
    sys.exit('it connected')
except Alarm:
    pass
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (0).to_bytes(8, 'little') + (200000).to_bytes(8, 'little'))
try:
    client.connect(HERE)
    sys.exit('it connected')
except BlockingIOError:
    print('both')
";
    // A socket of wharf's own, as `inject` gives it, has not the limit of the program's.
    for mode in ["dup", "rewrite"] {
        let answer = python(&sandbox, &["--remap", mode], program);
        assert_eq!((answer.code, &*answer.out), (0, "both\n"), "{mode}: {answer:?}");
    }
}

#[test]
fn nobody_else_waits_for_a_connect_that_waits() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let program = "\
keep = full()
def wait(): socket.socket().connect(HERE)
for _ in range(80): threading.Thread(target=wait, daemon=True).start()
begun = time.monotonic()
for _ in range(20):
    with socket.create_server(('127.0.0.1', 8700)): pass
print('bound' if time.monotonic() - begun < 5 else 'late')
sys.stdout.flush()
os._exit(0)
";
    for mode in ["dup", "rewrite", "inject"] {
        let answer = python(&sandbox, &["--remap", mode], program);
        assert_eq!((answer.code, &*answer.out), (0, "bound\n"), "{mode}: {answer:?}");
    }
}

#[test]
fn a_connect_says_what_the_kernel_says() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let program = "\
import errno, select
def outcome(waits, kind=0):
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, kind)
    client.setblocking(waits)
    first = client.connect_ex(HERE)
    if not waits:
        select.select([], [client], [], 5)
    return errno.errorcode.get(first, 'ok'), client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), client.getblocking()
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(HERE)
for kind in (0, 262):
    print(outcome(True, kind), outcome(False, kind))
server.listen()
for kind in (0, 262):
    print(outcome(True, kind), outcome(False, kind))
client = socket.create_connection(HERE)
print(errno.errorcode.get(client.connect_ex(HERE)))
";
    let refused = "('ECONNREFUSED', 0, True) ('EINPROGRESS', 111, False)\n";
    let taken = "('ok', 0, True) ('EINPROGRESS', 0, False)\n";
    let expected = format!("{refused}{refused}{taken}{taken}EISCONN\n");
    for mode in ["dup", "rewrite"] {
        let answer = python(&sandbox, &["--remap", mode], program);
        assert_eq!((answer.code, &*answer.out), (0, &*expected), "{mode}: {answer:?}");
    }
}

/// An ordinary user's own folders, and wharf in them with this user's rights alone.
fn of_a_user(sandbox: &Sandbox, args: &[&str]) -> std::process::Command {
    for folder in ["user/run", "user/home", "user/project/.git"] {
        std::fs::create_dir_all(sandbox.dir().join(folder)).expect("a folder");
    }
    let user = sandbox.dir().join("user");
    let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(&user).status();
    assert!(owned.expect("chown is there").success());
    sandbox::mode(&user.join("run"), 0o700);
    let mut command = sandbox.program("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(env!("CARGO_BIN_EXE_wharf"))
        .args(args)
        .env("HOME", user.join("home"))
        .env("XDG_RUNTIME_DIR", user.join("run"))
        .current_dir(user.join("project"));
    command
}

#[test]
fn a_process_that_may_not_be_inspected_binds_by_itself_and_that_is_told() {
    let sandbox = Sandbox::new();
    // The port of which it was told, and another.
    let program = "\
import ctypes, os, socket
ctypes.CDLL(None).prctl(4, 0)
for port in (int(os.environ['PORT']), 8765):
    server = socket.create_server(('127.0.0.1', port))
    print(server.getsockname()[1])
";
    let args = ["run", "--no-daemon", "--port", "8400+", "--", "python3", "-c", program];
    let answer = sandbox::answer(of_a_user(&sandbox, &args));
    assert_eq!((answer.code, &*answer.out), (0, "8400\n8765\n"), "{answer:?}");
    let told = "a port is left as `python3` (pid";
    assert!(answer.err.contains(told), "{answer:?}");
    assert!(answer.err.contains("the process does not let itself be inspected"), "{answer:?}");
    assert!(!answer.err.contains("is answered by another process"), "{answer:?}");
}

#[test]
fn a_mistake_of_the_program_is_the_kernels_to_tell() {
    let sandbox = Sandbox::new();
    let program = "\
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
address = ctypes.create_string_buffer(bytes([2, 0]) + (8765).to_bytes(2, 'big') + bytes([127, 0, 0, 1]) + bytes(8))
def outcome(call, *args):
    print(errno.errorcode.get(ctypes.get_errno()) if getattr(libc, call)(*args) else 'ok')
null, file = -1, os.open('/dev/null', os.O_RDWR)
for fd in (null, file):
    outcome('bind', fd, address, 16)
    outcome('listen', fd, 1)
stream = socket.socket()
outcome('bind', stream.fileno(), ctypes.c_void_p(8), 16)
outcome('bind', stream.fileno(), address, 129)
outcome('bind', stream.fileno(), address, -1)
outcome('bind', stream.fileno(), address, 16)
stream.close()
elsewhere = socket.socket()
address[4] = 192
outcome('bind', elsewhere.fileno(), address, 16)
";
    let expected = "EBADF\nEBADF\nENOTSOCK\nENOTSOCK\nEFAULT\nEINVAL\nEINVAL\nok\nEADDRNOTAVAIL\n";
    for mode in ["dup", "rewrite"] {
        let answer = python(&sandbox, &["--remap", mode], program);
        assert_eq!((answer.code, &*answer.out), (0, expected), "{mode}: {answer:?}");
        assert!(!answer.err.contains("inspected"), "{mode}: {answer:?}");
    }
}

#[test]
fn sockets_of_one_program_share_a_port_as_they_would_without_wharf() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let program = "\
def outcome(sock, address):
    try: sock.bind(address)
    except OSError as error: return os.strerror(error.errno)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
plain, second = socket.socket(), socket.socket()
print(outcome(plain, HERE), outcome(second, HERE))
plain.close()
print(outcome(second, HERE), second.listen())
second.close()
workers = [socket.socket() for _ in range(3)]
for one in workers: one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
print(outcome(workers[0], ('127.0.0.1', 0)))
for one in workers[1:]: print(outcome(one, workers[0].getsockname()))
for one in workers: one.listen()
print(len({one.getsockname() for one in workers}))
";
    let answer = python(&sandbox, &[], program);
    let expected = "0 Address already in use\n0 None\n0\n0\n0\n1\n";
    assert_eq!((answer.code, &*answer.out), (0, expected), "{answer:?}");
}

#[test]
fn a_program_that_fails_is_not_told_that_remapping_is_off() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let failed = python(&sandbox, &[], "socket.create_server(HERE); sys.exit(3)");
    assert_eq!(failed.code, 3);
    assert!(!failed.err.contains("remapping is off"), "{failed:?}");
    let failed = python(&sandbox, &["--remap", "off"], "socket.create_server(HERE)");
    assert!(failed.err.contains("8000 is taken by"), "{failed:?}");
    assert!(failed.err.contains("remapping is off here"), "{failed:?}");
}

#[test]
fn whoever_names_no_port_is_told_on_the_port_that_it_got() {
    let sandbox = Sandbox::new();
    let program = "import socket, time\n\
                   server = socket.create_server(('0.0.0.0', 0))\n\
                   print(server.getsockname(), flush=True)\n\
                   time.sleep(600)";
    let mut run = sandbox.run(&["--loopback", "--", "python3", "-c", program]);
    let bound = run.event("bound");
    let printed = until(|| Some(run.out()).filter(|out| out.ends_with('\n'))).unwrap();
    assert_eq!(printed, format!("('127.0.0.1', {})\n", bound["port"]));
}

#[test]
fn whoever_needs_further_rights_is_told_that_it_gets_none() {
    let sandbox = Sandbox::new();
    let told = |answer: &Answer| answer.err.contains("`su` gets no further rights");
    let run = |options: &[&str], user: bool| {
        let args = [&["run", "--no-daemon"], options, &["--", "su", "--version"]].concat();
        let command = if user { of_a_user(&sandbox, &args) } else { sandbox.wharf(&args) };
        let answer = sandbox::answer(command);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer
    };
    assert!(told(&run(&[], true)));
    assert!(!told(&run(&["--remap", "off"], true)));
    // Root's filter does without.
    assert!(!told(&run(&[], false)));
}

#[test]
fn a_script_that_needs_further_rights_and_fails_is_told_why_it_may_have() {
    let sandbox = Sandbox::new();
    let run = |options: &[&str], script: &str, user: bool| {
        let args = [&["run", "--no-daemon"], options, &["--", "sh", "serve.sh"]].concat();
        let command = if user { of_a_user(&sandbox, &args) } else { sandbox.wharf(&args) };
        let folder = if user { sandbox.dir().join("user/project") } else { sandbox.project() };
        std::fs::write(folder.join("serve.sh"), script).expect("a script");
        let answer = sandbox::answer(command);
        answer.err.contains("names `su`, which gets no further rights")
    };
    let fails = "if true; then su --version >/dev/null; fi\nexit 3\n";
    assert!(run(&[], fails, true));
    assert!(!run(&["--remap", "off"], fails, true), "it has what it needs");
    assert!(!run(&[], fails, false), "root's filter does without");
    assert!(!run(&[], "su --version >/dev/null\n", true), "nothing failed");
    assert!(!run(&[], "echo su\nexit 3\n", true), "it is not called");
}

#[test]
fn a_program_under_a_debugger_is_remapped_as_well() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    // A tracer that stops its child at every system call, on the way in and out.
    let program = "\
import ctypes
TRACEME, SYSCALL = 0, 24
ptrace = ctypes.CDLL(None).ptrace
child = os.fork()
if child == 0:
    ptrace(TRACEME, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    server = socket.create_server(HERE)
    socket.create_connection(HERE)
    print(server.getsockname()[1], server.accept()[1][0], flush=True)
    os._exit(0)
stops = 0
while True:
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status): break
    stops += 1
    ptrace(SYSCALL, child, None, None)
sys.exit(0 if stops > 8 and os.WEXITSTATUS(status) == 0 else 1)
";
    for mode in ["dup", "rewrite"] {
        let answer = python(&sandbox, &["--remap", mode], program);
        assert_eq!((answer.code, &*answer.out), (0, "8001 127.0.0.1\n"), "{mode}: {answer:?}");
    }
}
