//! Who is measured: nobody in between, wharf's daemon, and its peers, all in front of the same server.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::load::{Load, get};
use super::place::{Pinned, Places, processor_time};
use crate::world::{PATIENCE, Running, World, finish};
use crate::{Failure, lease, memory};

/// The port of the server behind all contenders.
pub(crate) const UPSTREAM: u16 = 9200;
const WHARF: u16 = 9210;
const NGINX: u16 = 9240;
const HAPROXY: u16 = 9241;
const CADDY: u16 = 9242;
/// Where the run's `portless` is.
const PORTLESS: u16 = 1355;

/// The pause between two looks at something that is about to happen.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The rows of every table, in this order.
pub(crate) const NAMES: [&str; 6] =
    ["direct", "wharf's daemon", "nginx", "haproxy", "caddy", "`portless`"];
pub(crate) const DIRECT: usize = 0;
pub(crate) const OURS: usize = 1;
pub(crate) const NGINX_ROW: usize = 2;
pub(crate) const HAPROXY_ROW: usize = 3;
pub(crate) const CADDY_ROW: usize = 4;
pub(crate) const PORTLESS_ROW: usize = 5;

/// Somebody to ask.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    /// The process that does the work; none where nobody is in between.
    pub(crate) pid: Option<u32>,
    _running: Option<Running>,
}

/// The server that they all are in front of.
pub(crate) struct Upstream {
    _running: Running,
}

impl Contender {
    /// The load of so many connections that ask for a path.
    pub(crate) fn load(&self, path: &str, connections: usize) -> Load {
        Load { address: self.address, request: get(&self.host, path), connections }
    }

    pub(crate) fn processor_time(&self) -> Result<Duration, Failure> {
        self.pid.map_or(Ok(Duration::ZERO), processor_time)
    }

    fn at(port: u16, host: &str) -> Contender {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Contender { address, host: host.to_owned(), pid: None, _running: None }
    }
}

/// Starts the server behind them all, as an instance of wharf's.
pub(crate) fn upstream(world: &World, places: Places) -> Result<Upstream, Failure> {
    start_wharf(world, places)?;
    let _pinned = Pinned::to(places.load)?;
    let port = UPSTREAM.to_string();
    let mut command = world.wharf(&["run", "--port", &port, "--"]);
    let running = Running::start(command.args(world.role("upstream")).arg(&port))?;
    await_port(UPSTREAM)?;
    Ok(Upstream { _running: running })
}

/// Starts the daemon with its proxy on a port of its own.
fn start_wharf(world: &World, places: Places) -> Result<(), Failure> {
    let folder = world.path("config/wharf");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("settings.toml"), format!("proxy = {WHARF}\n"))?;
    world.stop_daemon();
    let _pinned = Pinned::to(places.proxy)?;
    world.start_daemon()
}

/// Starts one; `None` where it is not installed.
pub(crate) fn start(
    world: &World,
    places: Places,
    row: usize,
) -> Result<Option<Contender>, Failure> {
    let pinned = Pinned::to(places.proxy)?;
    let contender = match row {
        DIRECT => Some(Contender::at(UPSTREAM, "shop.localhost")),
        OURS => Some(ours(world)?),
        NGINX_ROW => nginx(world)?,
        HAPROXY_ROW => haproxy(world)?,
        CADDY_ROW => caddy(world)?,
        _ => portless(world)?,
    };
    drop(pinned);
    let _pinned = Pinned::to(places.load)?;
    if let Some(contender) = &contender {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = contender.load("/", 1).run(Duration::ZERO, 1) {
            if Instant::now() > end {
                return Err(format!("{} does not answer: {error}", NAMES[row]).into());
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
    Ok(contender)
}

fn ours(world: &World) -> Result<Contender, Failure> {
    let end = Instant::now() + PATIENCE;
    let mut last = String::new();
    while Instant::now() < end {
        let status = lease::proxy_status(world)?;
        last = format!("{status:?}");
        let of_ours = |route: &&wharf_control::api::RouteReport| {
            route.addresses.iter().any(|address| address.port() == UPSTREAM)
        };
        if let Some(route) = status.routes.iter().find(of_ours)
            && let Some(front) = status.listeners.iter().find(|front| front.address.is_ipv4())
        {
            let host = format!("{}:{}", route.host, front.port);
            let pid = Some(lease::daemon_pid(world)?);
            return Ok(Contender { pid, ..Contender::at(front.port, &host) });
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err(format!("the daemon has no route to the server: {last}").into())
}

fn nginx(world: &World) -> Result<Option<Contender>, Failure> {
    let folder = world.path("nginx");
    std::fs::create_dir_all(&folder)?;
    let at = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("  {what}_temp_path {at}/{what};\n"))
        .concat();
    let config = format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {at}/pid;\n\
         error_log {at}/error.log;\nworker_rlimit_nofile 20000;\n\
         events {{ worker_connections 19000; }}\nhttp {{\n  access_log off;\n{temporary}\
         \x20 keepalive_requests 1000000000;\n  keepalive_timeout 600s;\n\
         \x20 proxy_read_timeout 1h;\n  proxy_send_timeout 1h;\n\
         \x20 map $http_upgrade $onward {{ default upgrade; '' ''; }}\n\
         \x20 upstream server {{ server 127.0.0.1:{UPSTREAM}; keepalive 512;\n\
         \x20   keepalive_requests 1000000000; }}\n\
         \x20 server {{ listen 127.0.0.1:{NGINX} backlog=4096; location / {{\n\
         \x20   proxy_pass http://server; proxy_http_version 1.1;\n\
         \x20   proxy_set_header Host $http_host; proxy_set_header Connection $onward;\n\
         \x20   proxy_set_header Upgrade $http_upgrade;\n\
         \x20   proxy_set_header X-Forwarded-For $remote_addr;\n\
         \x20   proxy_set_header X-Forwarded-Proto $scheme;\n  }} }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config)?;
    let Some(program) = installed("nginx") else { return Ok(None) };
    let mut command = world.command(program);
    command.arg("-e").arg(folder.join("error.log")).arg("-p").arg(&folder).arg("-c").arg(file);
    peer(&mut command, NGINX).map(Some)
}

fn haproxy(world: &World) -> Result<Option<Contender>, Failure> {
    let config = format!(
        "global\n  nbthread 1\n  maxconn 9500\ndefaults\n  mode http\n  timeout connect 5s\n\
         \x20 timeout client 1h\n  timeout server 1h\n  timeout tunnel 1h\n\
         \x20 option http-keep-alive\n  option http-no-delay\n  http-reuse always\n\
         frontend front\n  bind 127.0.0.1:{HAPROXY}\n  default_backend back\n\
         backend back\n  option forwardfor\n  http-request set-header X-Forwarded-Proto http\n\
         \x20 server server 127.0.0.1:{UPSTREAM} pool-max-conn 512\n"
    );
    let file = world.path("haproxy.cfg");
    std::fs::write(&file, config)?;
    let Some(program) = installed("haproxy") else { return Ok(None) };
    peer(world.command(program).arg("-db").arg("-f").arg(file), HAPROXY).map(Some)
}

fn caddy(world: &World) -> Result<Option<Contender>, Failure> {
    let config = format!(
        "{{\n\tadmin off\n\tauto_https off\n}}\n\
         http://:{CADDY} {{\n\treverse_proxy 127.0.0.1:{UPSTREAM}\n}}\n"
    );
    let file = world.path("Caddyfile");
    std::fs::write(&file, config)?;
    let Some(program) = installed("caddy") else { return Ok(None) };
    let mut command = world.command(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    peer(&mut command, CADDY).map(Some)
}

fn portless(world: &World) -> Result<Option<Contender>, Failure> {
    let run = |args: &[&str]| -> Result<bool, Failure> {
        let Some(mut command) = world.portless(args) else { return Ok(false) };
        match command.spawn() {
            Ok(child) => Ok(finish(child)?.success()),
            Err(_) => Ok(false),
        }
    };
    // It may know that name already, which it calls a failure.
    run(&["alias", "bench", &UPSTREAM.to_string()])?;
    if !run(&["proxy", "start"])? {
        return Ok(None);
    }
    await_port(PORTLESS)?;
    let pid = std::fs::read_to_string(world.path("home/.portless/proxy.pid"))?;
    let pid = Some(pid.trim().parse()?);
    Ok(Some(Contender { pid, ..Contender::at(PORTLESS, &format!("bench.localhost:{PORTLESS}")) }))
}

fn peer(command: &mut Command, port: u16) -> Result<Contender, Failure> {
    let running = Running::start(command)?;
    await_port(port)?;
    let pid = Some(running.pid());
    let host = format!("shop.localhost:{port}");
    Ok(Contender { pid, _running: Some(running), ..Contender::at(port, &host) })
}

/// Where a program is; those of Debian lie where only root's PATH leads.
fn installed(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    let mut found = folders.map(|folder| Path::new(folder).join(name));
    found.find(|file| file.is_file())
}

fn await_port(port: u16) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > end {
            return Err(format!("nothing came to serve on port {port}").into());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// What the process holds, in MiB; nothing for those without one.
pub(crate) fn resident(contender: &Contender) -> Result<Option<f64>, Failure> {
    Ok(contender.pid.map(memory::resident).transpose()?.map(|resident| resident.all()))
}
