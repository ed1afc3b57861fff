//! Projects that are brought up, taken down and killed at every moment, by many at once.

mod sandbox;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sandbox::{Sandbox, command_of, is_alive, signal, until};
use serde_json::Value;

/// How often something is killed.
const KILLS: usize = 200;

/// How often a service is restarted at least and at most, and for how long beyond the least.
const RESTARTS_MIN: usize = 40;
const RESTARTS_MAX: usize = 1000;
const RESTARTS_FOR: Duration = Duration::from_secs(15);

/// What the memory of a process may differ by without having grown: an allocator's pages, in kB.
const NOISE_KB: u64 = 2048;

fn sandbox(services: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox.file("wharf.toml", services);
    sandbox
}

fn worker(name: &str) -> String {
    format!(
        "[service.{name}]\nrun = \"echo $$ >> {name}.pids; echo up; exec sleep 31415\"\n\
         ready = {{ log = \"up\" }}\nrestart = \"always\"\n"
    )
}

fn listed(sandbox: &Sandbox) -> Value {
    sandbox.output(&["ls", "--json"]).json()
}

fn live(sandbox: &Sandbox) -> Vec<Value> {
    listed(sandbox)["instances"].as_array().expect("a list").clone()
}

fn number(value: &Value, field: &str) -> u32 {
    let number = value[field].as_u64().and_then(|number| u32::try_from(number).ok());
    number.unwrap_or_else(|| panic!("{field}: {value:#}"))
}

fn named(list: &[Value]) -> BTreeSet<String> {
    let name = |i: &Value| format!("{}.{}", i["service"].as_str().unwrap(), i["instance"]);
    list.iter().map(name).collect()
}

/// Numbers that look random, and are the same for the same seed.
struct Random(u64);

impl Random {
    /// Seeded by `WHARF_TEST_SEED`, else by the clock. The seed is printed.
    fn new() -> Random {
        let chosen = std::env::var("WHARF_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = chosen.unwrap_or_else(|| u64::try_from(now.as_micros()).unwrap());
        println!("WHARF_TEST_SEED={seed}");
        Random(seed | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Kills somebody, the daemon or a pilot, and says whether it still was there. Nothing that is told then is
/// doubled.
fn kill_one(sandbox: &Sandbox, random: &mut Random) -> bool {
    let list = listed(sandbox);
    let instances = list["instances"].as_array().expect("a list");
    let ports: Vec<u64> =
        list["leases"].as_array().unwrap().iter().map(|l| l["port"].as_u64().unwrap()).collect();
    let distinct: BTreeSet<u64> = ports.iter().copied().collect();
    assert_eq!(distinct.len(), ports.len(), "a port is leased twice: {list:#}");
    assert_eq!(named(instances).len(), instances.len(), "an instance lives twice: {list:#}");
    let pid = match instances.len() {
        0 => None,
        count => Some(random.below(2 * count)).filter(|chosen| *chosen < count),
    };
    let pid = match pid {
        Some(chosen) => number(&instances[chosen], "pilot_pid"),
        None => match sandbox.output(&["daemon", "status", "--json"]) {
            status if status.code == 0 => number(&status.json(), "pid"),
            _ => return false,
        },
    };
    kill(pid)
}

/// Whether there was somebody to kill.
fn kill(pid: u32) -> bool {
    let mut command = std::process::Command::new("kill");
    command.args(["-KILL", &pid.to_string()]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Brings services up and takes them down until it is over.
fn churn(sandbox: &Sandbox, over: &AtomicBool, random: &Mutex<Random>) {
    let services = ["one", "two", "web"];
    while !over.load(Ordering::Relaxed) {
        let (what, which) = {
            let mut random = random.lock().unwrap();
            (random.below(4), services[random.below(services.len())])
        };
        // Whoever is killed in between makes any of these fail; what they leave behind is looked at in the end.
        let _ = match what {
            0 => sandbox.output(&["down"]),
            1 => sandbox.output(&["down", which]),
            2 => sandbox.output(&["up", "-d", "--timeout", "10", which]),
            _ => sandbox.output(&["up", "-d", "--timeout", "10"]),
        };
    }
}

#[test]
fn two_hundred_kills_amid_ups_and_downs_leave_nothing_behind() {
    let web = "[service.web]\nrun = \"python3 server.py\"\nrestart = \"always\"\n";
    let sandbox = sandbox(&[&worker("one"), &worker("two"), web].concat());
    let random = Mutex::new(Random::new());
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let churning = scope.spawn(|| churn(&sandbox, &over, &random));
        let killing = scope.spawn(|| {
            let mut own = Random(random.lock().unwrap().below(1 << 20) as u64 | 1);
            let mut tries = 0..4 * KILLS;
            for _ in 0..KILLS {
                assert!(tries.any(|_| kill_one(&sandbox, &mut own)), "nobody is left to kill");
            }
        });
        let killed = killing.join();
        over.store(true, Ordering::Relaxed);
        churning.join().unwrap();
        killed.unwrap();
    });
    println!("{KILLS} kills in {:?}", begun.elapsed());
    all_is_well(&sandbox);
    let down = sandbox.output(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!(listed(&sandbox)["leases"], serde_json::json!([]));
    assert_eq!(live(&sandbox), Vec::<Value>::new());
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    let left = || sandbox.processes().into_iter().map(command_of).collect::<Vec<_>>();
    assert!(until(|| left().is_empty().then_some(())).is_some(), "{:#?}", left());
}

/// After one more `up` there is each service once, each server has its pilot, and each lease its instance.
fn all_is_well(sandbox: &Sandbox) {
    let up = sandbox.output(&["up", "-d", "--json"]);
    assert_eq!(up.code, 0, "{up:?}");
    let whole: BTreeSet<String> = ["one.1", "two.1", "web.1"].map(String::from).into();
    let list = || {
        let list = listed(sandbox);
        let live = list["instances"].as_array().unwrap().clone();
        let ready = live.iter().all(|instance| instance["state"] == "ready");
        (ready && named(&live) == whole && live.len() == whole.len()).then_some(list)
    };
    let list = until(list).unwrap_or_else(|| panic!("{:#}", listed(sandbox)));
    let instances = list["instances"].as_array().unwrap();
    let known: BTreeSet<u32> = instances.iter().map(|i| number(i, "pilot_pid")).collect();
    // Each has a process between itself and its server, which has the same command.
    let strays = || -> Vec<u32> {
        let is_pilot = |pid: &u32| command_of(*pid).contains("wharf pilot");
        let is_known =
            |pid: u32| known.contains(&pid) || parent(pid).is_some_and(|up| known.contains(&up));
        let pilots = sandbox.processes().into_iter().filter(is_pilot);
        pilots.filter(|pid| !is_known(*pid)).collect()
    };
    assert!(until(|| strays().is_empty().then_some(())).is_some(), "{:?} {list:#}", strays());
    let servers = || -> BTreeSet<u32> {
        let is_server = |pid: &u32| {
            let command = command_of(*pid);
            command == "sleep 31415" || command.ends_with("python3 server.py")
        };
        sandbox.processes().into_iter().filter(is_server).collect()
    };
    let known: BTreeSet<u32> = instances.iter().map(|i| number(i, "pid")).collect();
    assert!(until(|| (servers() == known).then_some(())).is_some(), "{:?} {list:#}", servers());
    let ports: BTreeSet<u64> = instances.iter().map(|i| i["port"].as_u64().unwrap()).collect();
    let leased: Vec<u64> =
        list["leases"].as_array().unwrap().iter().map(|l| l["port"].as_u64().unwrap()).collect();
    assert_eq!((leased.len(), leased.into_iter().collect()), (3, ports), "{list:#}");
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// Kills all that runs in the sandbox, as the end of power does.
fn end_of_power(sandbox: &Sandbox) {
    let gone = until(|| {
        let all = sandbox.processes();
        for pid in &all {
            kill(*pid);
        }
        all.is_empty().then_some(())
    });
    assert!(gone.is_some(), "{:?}", sandbox.processes());
}

/// Makes what is kept that of another boot.
fn another_boot(sandbox: &Sandbox) {
    let program = "import pathlib, sqlite3, sys\n\
         own = open('/proc/sys/kernel/random/boot_id').read().strip()\n\
         other = '0' * 8 + own[8:]\n\
         database = pathlib.Path(sys.argv[1])\n\
         link = sqlite3.connect(database)\n\
         link.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n\
         link.close()\n\
         kept = list(pathlib.Path(sys.argv[2]).glob('*.json'))\n\
         assert kept, 'no pilot has put anything down'\n\
         for file in [database] + kept:\n\
         \x20   text = file.read_bytes()\n\
         \x20   assert own.encode() in text, file\n\
         \x20   file.write_bytes(text.replace(own.encode(), other.encode()))\n";
    let mut command = sandbox.program("python3");
    let database = sandbox.dir().join("home/.local/state/wharf/wharf.db");
    command.args(["-c", program]).arg(database).arg(sandbox.dir().join("run/wharf/pilots"));
    let answer = sandbox::answer(command);
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn after_a_power_loss_the_next_start_is_clean() {
    let web = "[service.web]\nrun = \"python3 server.py\"\ndepends_on = [\"one\"]\n";
    let sandbox = sandbox(&[&worker("one"), web].concat());
    let up = || {
        let answer = sandbox.output(&["up", "-d", "--json"]);
        assert_eq!(answer.code, 0, "{answer:?}");
        let instances = live(&sandbox);
        assert_eq!(named(&instances), ["one.1", "web.1"].map(String::from).into());
        let list = listed(&sandbox);
        assert_eq!(list["leases"].as_array().unwrap().len(), 2, "{list:#}");
        let ports: Vec<u64> = instances.iter().map(|i| i["port"].as_u64().unwrap()).collect();
        let pilots: Vec<u32> = instances.iter().map(|i| number(i, "pilot_pid")).collect();
        assert!(pilots.iter().all(|pid| is_alive(*pid)), "{instances:#?}");
        ports
    };
    let ports = up();
    for is_rebooted in [false, true, true] {
        end_of_power(&sandbox);
        if is_rebooted {
            another_boot(&sandbox);
        }
        assert_eq!(up(), ports, "another boot: {is_rebooted}");
    }
    end_of_power(&sandbox);
    another_boot(&sandbox);
    let list = listed(&sandbox);
    assert_eq!(named(list["instances"].as_array().unwrap()), BTreeSet::new());
    assert_eq!(list["leases"], serde_json::json!([]));
}

fn spawned(sandbox: &Sandbox, args: &[&str], err: &Path) -> Child {
    let mut command = sandbox.wharf(args);
    let file = std::fs::File::create(err).expect("a file");
    command.stdout(Stdio::null()).stderr(file).spawn().expect("wharf starts")
}

fn code(child: &mut Child) -> Option<i32> {
    until(|| child.try_wait().expect("it can be waited for")).and_then(|status| status.code())
}

fn launches(sandbox: &Sandbox, name: &str) -> usize {
    let file = sandbox.project().join(format!("{name}.pids"));
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[test]
fn of_several_ups_at_once_one_does_the_work() {
    let two = worker("two") + "depends_on = [\"one\"]\n";
    let sandbox = sandbox(&[worker("one"), two].concat());
    let err = |n: usize| sandbox.dir().join(format!("err-{n}"));
    let mut all: Vec<Child> = (0..6).map(|n| spawned(&sandbox, &["up", "-d"], &err(n))).collect();
    for (n, child) in all.iter_mut().enumerate() {
        let code = code(child);
        assert_eq!(code, Some(0), "{}", std::fs::read_to_string(err(n)).unwrap());
    }
    assert_eq!(named(&live(&sandbox)), ["one.1", "two.1"].map(String::from).into());
    assert_eq!((launches(&sandbox, "one"), launches(&sandbox, "two")), (1, 1));
}

#[test]
fn a_second_up_says_that_it_waits_and_goes_on_when_the_first_is_killed() {
    let slow = "[service.slow]\nrun = \"echo $$ >> slow.pids; exec sleep 31415\"\n\
                ready = { command = \"test -e go\" }\n";
    let sandbox = sandbox(slow);
    let (first_err, second_err) = (sandbox.dir().join("first"), sandbox.dir().join("second"));
    for kills in [false, true] {
        let mut first = spawned(&sandbox, &["up", "-d"], &first_err);
        let begun = until(|| (live(&sandbox).len() == 1).then_some(()));
        assert!(begun.is_some(), "{}", std::fs::read_to_string(&first_err).unwrap());
        let mut second = spawned(&sandbox, &["up", "-d"], &second_err);
        let said = || std::fs::read_to_string(&second_err).unwrap();
        let waits = until(|| said().contains("another `wharf up` of this checkout").then_some(()));
        assert!(waits.is_some(), "{}", said());
        if kills {
            signal(first.id(), "KILL");
        }
        sandbox.file("go", "");
        assert_eq!(code(&mut first), (!kills).then_some(0));
        assert_eq!(code(&mut second), Some(0), "{}", said());
        assert_eq!(live(&sandbox).len(), 1);
        assert_eq!(launches(&sandbox, "slow"), 1);
        assert_eq!(sandbox.output(&["down"]).code, 0);
        for file in ["go", "slow.pids"] {
            std::fs::remove_file(sandbox.project().join(file)).unwrap();
        }
    }
}

/// What a process has in memory, in kB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

#[test]
fn restarts_without_number_cost_no_memory() {
    let services: String = (0..20).map(|n| worker(&format!("s{n}"))).collect();
    let sandbox = sandbox(&services);
    assert_eq!(sandbox.output(&["up", "-d"]).code, 0);
    let instances = live(&sandbox);
    let one = instances.iter().find(|i| i["service"] == "s7").expect("it runs");
    let pilot = number(one, "pilot_pid");
    let daemon = number(&sandbox.output(&["daemon", "status", "--json"]).json(), "pid");
    let (mut rounds, mut early) = (0, [0, 0]);
    let begun = Instant::now();
    while rounds < RESTARTS_MIN || (rounds < RESTARTS_MAX && begun.elapsed() < RESTARTS_FOR) {
        let restart = sandbox.output(&["restart", "s7"]);
        assert_eq!(restart.code, 0, "{restart:?}");
        rounds += 1;
        if rounds == RESTARTS_MIN / 2 {
            early = [pilot, daemon].map(resident);
        }
    }
    let late = [pilot, daemon].map(resident);
    println!("{rounds} restarts: pilot and daemon had {early:?} kB, and have {late:?} kB");
    for (early, late) in early.into_iter().zip(late) {
        assert!(late <= early + NOISE_KB, "{early} kB have become {late} kB");
    }
    assert_eq!(live(&sandbox).len(), 20);
}
