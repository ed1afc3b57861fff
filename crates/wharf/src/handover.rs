//! What is handed over to other tools: what runs, and of the rest what is planned.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use wharf_export::{Front, Handover, Key, Launch, Server};
use wharf_model::plan::{Arg, Values};
use wharf_model::service::{Run, STOP_GRACE, Service};
use wharf_model::{Access, Instance, LaunchPlan, PathText, Port, Protocol, ServiceKey, name};
use wharf_os::process;
use wharf_plan::catalog::{self, Lang};

use crate::checkout::Checkout;
use crate::environment::Told;
use crate::ground::{FILES, Ground};
use crate::report::{Code, Report};
use crate::up::order::{Sibling, Siblings};
use crate::up::template;

/// What a server in a container binds: its container's own network.
const WITHIN_HOST: &str = "0.0.0.0";

/// This checkout: what it runs and what it declares.
///
/// # Errors
/// There is no daemon, a file of the project is not understood, or it runs and declares nothing.
pub(crate) async fn of_checkout(front: Front) -> Result<Handover, Report> {
    let checkout = Checkout::here().await?;
    let root = checkout.project.root.clone();
    let ground = Ground::of(&checkout, root.clone()).await?;
    let servers = servers(&checkout, &ground, false)?;
    if servers.is_empty() {
        return Err(Report::new(Code::NotFound, "this project neither runs nor declares anything")
            .help("`wharf up` starts what a project declares, `wharf run` a single server")
            .help("`wharf export TARGET --all` is about everything that runs"));
    }
    Ok(Handover { name: label(&ground), root, servers, front, path: path() })
}

/// Everything that runs, of every checkout.
///
/// # Errors
/// As [`of_checkout`]; nothing runs.
pub(crate) async fn of_all(front: Front) -> Result<Handover, Report> {
    let checkout = Checkout::here().await?;
    let mut roots: Vec<&PathText> = Vec::new();
    for instance in checkout.snapshot.instances.iter().filter(|i| i.state.is_live()) {
        if !roots.contains(&&instance.root) {
            roots.push(&instance.root);
        }
    }
    roots.sort();
    let mut all: Vec<Server> = Vec::new();
    for root in roots {
        let ground = Ground::of_running(&checkout, root.to_path()).await?;
        let mut found = servers(&checkout, &ground, true)?;
        let label = label(&ground);
        found.iter_mut().for_each(|server| server.checkout.clone_from(&label));
        all.extend(found);
    }
    if all.is_empty() {
        return Err(Report::new(Code::NotFound, "nothing runs")
            .help("`wharf up` starts what a project declares, `wharf run` a single server"));
    }
    let root = checkout.project.root.clone();
    Ok(Handover { name: "wharf".to_owned(), root, servers: all, front, path: path() })
}

/// The caller's, by which its commands find their programs.
fn path() -> Option<String> {
    std::env::var("PATH").ok()
}

/// A label for a checkout: its host, as one label.
fn label(ground: &Ground<'_>) -> String {
    let site = ground.site();
    name::slug(site.strip_suffix(name::TLD).unwrap_or(&site).trim_end_matches('.'))
}

/// One that is handed over, before anybody is told of the others.
struct Unit<'a> {
    key: ServiceKey,
    own: Sibling,
    service: Option<&'a Service>,
    instance: Option<&'a Instance>,
    plan: Option<LaunchPlan>,
}

/// `running`: those that run alone, whatever else is declared.
fn servers(checkout: &Checkout, ground: &Ground<'_>, running: bool) -> Result<Vec<Server>, Report> {
    let units = units(checkout, ground, running)?;
    // A step serves nobody.
    let serving = || units.iter().filter(|unit| !unit.is_step());
    let here = Siblings(serving().map(|unit| unit.own.clone()).chain(ground.outside()).collect());
    let within = Siblings(serving().map(Unit::within).collect());
    units.iter().map(|unit| server(ground, unit, &here, &within)).collect()
}

fn units<'a>(
    checkout: &'a Checkout,
    ground: &'a Ground<'_>,
    running: bool,
) -> Result<Vec<Unit<'a>>, Report> {
    let root = PathText::new(&ground.root);
    let is_here = |i: &&Instance| i.state.is_live() && i.root == root;
    let live: Vec<&Instance> = checkout.snapshot.instances.iter().filter(is_here).collect();
    let mut units: Vec<Unit<'a>> = Vec::new();
    let mut taken = taken(ground, &live);
    for service in ground.services() {
        let of_service = live.iter().filter(|i| i.key.service == service.name);
        let highest = of_service.map(|i| i.key.instance).max().unwrap_or(0);
        for number in 1..=service.instances.max(highest) {
            let key = ground.key(&service.name, number);
            let instance = live.iter().find(|i| i.key == key).copied();
            if instance.is_none() && (running || number > service.instances) {
                continue;
            }
            let plan = ground.plan(&key, service);
            if let (Err(report), None, false) = (&plan, instance, service.is_step()) {
                return Err(report.clone());
            }
            let own = match instance {
                Some(instance) => Sibling::of(instance),
                None => place(ground, &key, plan.as_ref().ok(), &taken),
            };
            taken.push(own.port);
            let service = Some(service);
            units.push(Unit { key, own, service, instance, plan: plan.ok() });
        }
    }
    for instance in live {
        if !units.iter().any(|unit| unit.key == instance.key) {
            let (key, own) = (instance.key.clone(), Sibling::of(instance));
            units.push(Unit { key, own, service: None, instance: Some(instance), plan: None });
        }
    }
    Ok(units)
}

/// The ports that live instances have, and that are remembered of the others: nobody else's.
fn taken(ground: &Ground<'_>, live: &[&Instance]) -> Vec<u16> {
    let numbers = |service: &Service| (1..=service.instances).collect::<Vec<u32>>();
    let remembered = ground.services().iter().flat_map(|service| {
        let keys = numbers(service).into_iter().map(|number| ground.key(&service.name, number));
        keys.filter_map(|key| ground.remembered(&key)).map(|own| own.port)
    });
    live.iter().map(|instance| instance.port).chain(remembered).collect()
}

/// Where one that does not run will be: at the port that is remembered of it, else at the one that it wants and none
/// of the others has.
fn place(
    ground: &Ground<'_>,
    key: &ServiceKey,
    plan: Option<&LaunchPlan>,
    taken: &[u16],
) -> Sibling {
    if let Some(known) = ground.remembered(key) {
        return known;
    }
    let wanted = plan.map_or(0, |plan| plan.request.wanted().get());
    let free = (wanted..=u16::MAX).find(|port| !taken.contains(port));
    ground.at_port(key, free.unwrap_or(wanted))
}

impl Unit<'_> {
    /// The port that it takes where nobody else is.
    fn conventional(&self) -> u16 {
        let planned = self.plan.as_ref().map(|plan| plan.request.wanted().get());
        let requested = self.instance.map(|instance| instance.requested_port);
        planned.or(requested).unwrap_or(self.own.port)
    }

    fn is_step(&self) -> bool {
        self.service.is_some_and(Service::is_step)
    }

    /// Where siblings find it if each has a container of its own.
    fn within(&self) -> Sibling {
        let host = match self.key.instance {
            1 => self.key.service.clone(),
            number => format!("{}-{number}", self.key.service),
        };
        let scheme = self.own.direct_url.split("://").next().unwrap_or("http");
        let port = self.conventional();
        let direct_url = format!("{scheme}://{host}:{port}");
        Sibling { port, direct_url, host, ..self.own.clone() }
    }
}

fn server(
    ground: &Ground<'_>,
    unit: &Unit<'_>,
    here: &Siblings,
    within: &Siblings,
) -> Result<Server, Report> {
    let (service, instance) = (unit.service, unit.instance);
    let access = match (instance, &ground.wanted) {
        (Some(instance), _) => instance.access.clone(),
        (None, Some(wanted)) => wanted.settings.access(&unit.key.service),
        (None, None) => Access::default(),
    };
    let default = Service::new(&unit.key.service, ground.root.clone(), "what runs");
    let service_or = service.unwrap_or(&default);
    let framework = framework(unit);
    let cwd = instance.and_then(|instance| process::cwd(instance.pid?).ok());
    let dir = service.map(|service| service.dir.clone()).or(cwd);
    let dir = dir.unwrap_or_else(|| ground.root.clone());
    let fill = |text: &OsStr| template::fill(text, &unit.own, here);
    let (address, port) = place_of(&unit.own);
    Ok(Server {
        key: Key { service: name::slug(&unit.key.service), instance: unit.key.instance },
        checkout: String::new(),
        hosts: hosts(ground, unit),
        wildcard: access.wildcard,
        site: ground.site(),
        paths: paths(&access),
        address,
        port,
        conventional: unit.conventional(),
        protocol: protocol(unit, &access),
        origin_form: access.origin_form,
        runs: instance.is_some(),
        declared: service.and_then(|service| {
            let run = service.run.as_ref()?;
            Some(if service.verbatim.run { run.clone() } else { filled(run, &fill) })
        }),
        declared_env: service_or
            .env
            .iter()
            .map(|(name, value)| {
                let pair = (name.as_str(), value.as_str());
                (name.clone(), lossy(&template::variable(service_or, pair, &unit.own, here)))
            })
            .collect(),
        here: launch(ground, unit, &unit.own, here),
        passed: launch_passed(ground, unit, here),
        within: launch_within(ground, unit, within),
        has_dockerfile: dir.join("Dockerfile").is_file(),
        dir,
        depends_on: service_or.depends_on.clone(),
        is_step: service_or.is_step(),
        restart: service_or.restart,
        stop_signal: service_or.stop_signal.clone(),
        stop_grace: service.map_or(STOP_GRACE, |service| service.stop_grace),
        language: framework.and_then(catalog::by_id).and_then(|known| language(known.lang)),
        source: source(service_or, &ground.root),
    })
}

fn framework<'a>(unit: &'a Unit<'_>) -> Option<&'a str> {
    let planned = unit.plan.as_ref().and_then(|plan| plan.framework.as_ref()).map(|f| f.id);
    planned.or_else(|| unit.instance.and_then(|instance| instance.framework.as_deref()))
}

fn language(lang: Lang) -> Option<String> {
    match lang {
        Lang::Any => None,
        Lang::Js => Some("node".to_owned()),
        other => Some(other.word().to_owned()),
    }
}

/// Names of HTTP; a service that speaks something else has an address alone.
fn hosts(ground: &Ground<'_>, unit: &Unit<'_>) -> Vec<String> {
    if unit.service.is_some_and(Service::is_step) || !unit.own.url.starts_with("http") {
        return Vec::new();
    }
    let probes = unit.plan.as_ref().map(|plan| plan.probe);
    if unit.instance.is_none() && probes.is_some_and(|probe| probe != wharf_model::Probe::Http) {
        return Vec::new();
    }
    let host = match unit.instance.and_then(|instance| name::short_host(&instance.url)) {
        Some(short) => format!("{short}.{}", name::TLD),
        None => ground.host(&unit.key),
    };
    vec![host]
}

/// Each once, without a slash at the end, which means nothing there.
fn paths(access: &Access) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for path in &access.paths {
        let path = match path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }
    paths
}

fn protocol(unit: &Unit<'_>, access: &Access) -> Protocol {
    match () {
        () if unit.own.direct_url.starts_with("https://") => Protocol::Tls,
        () if access.h2c => Protocol::H2c,
        () => Protocol::Http1,
    }
}

/// Where it answered its pilot; else loopback at its port.
fn place_of(own: &Sibling) -> (IpAddr, u16) {
    let told = own.direct_url.split("://").nth(1);
    match told.and_then(|rest| rest.trim_end_matches('/').parse::<SocketAddr>().ok()) {
        Some(place) => (place.ip(), place.port()),
        None => (Ipv4Addr::LOCALHOST.into(), own.port),
    }
}

fn filled(run: &Run, fill: &dyn Fn(&OsStr) -> OsString) -> Run {
    match run {
        Run::Words(words) => Run::Words(words.iter().map(|word| fill(word)).collect()),
        Run::Shell(text) => Run::Shell(lossy(&fill(text.as_ref()))),
    }
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// The command with its port handed over, and what it is told of itself and the others.
fn launch(ground: &Ground<'_>, unit: &Unit<'_>, own: &Sibling, siblings: &Siblings) -> Launch {
    let values = ground.values(&unit.key, own);
    let planned = unit.plan.as_ref().zip(values).map(|(plan, values)| plan.argv(&values));
    let running = unit.instance.map(|i| i.command.iter().map(OsString::from).collect());
    let argv: Vec<OsString> = planned.or(running).unwrap_or_default();
    let argv = filled_words(unit, argv, own, siblings);
    Launch { argv: without_files(argv), env: told(ground, unit, own, siblings) }
}

/// The same for one that finds its listening socket at descriptor 3: its project says so, or the catalog of a
/// command that is the program itself. A wrapper may keep the socket, or have another process number.
fn launch_passed(ground: &Ground<'_>, unit: &Unit<'_>, siblings: &Siblings) -> Option<Launch> {
    let plan = unit.plan.as_ref().filter(|_| !unit.is_step())?;
    let takes = plan.takes_socket();
    let known = takes.is_some() && is_program(plan);
    if !known && !unit.service.is_some_and(|service| service.socket) {
        return None;
    }
    let argv = plan.argv_with_socket(&ground.values(&unit.key, &unit.own)?);
    let argv = without_files(filled_words(unit, argv, &unit.own, siblings));
    let mut env = told(ground, unit, &unit.own, siblings);
    for (name, value) in takes.map(|takes| takes.env).unwrap_or_default() {
        env.retain(|(known, _)| known != name);
        env.push(((*name).to_owned(), (*value).to_owned()));
    }
    (!argv.is_empty()).then_some(Launch { argv, env })
}

/// Whether it is the program of its framework that is started, or Python with it as a module.
fn is_program(plan: &LaunchPlan) -> bool {
    let words: Vec<String> = plan
        .argv
        .iter()
        .map(|arg| match arg {
            Arg::Given(text) => lossy(text),
            Arg::Template(text) => text.clone(),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let program = match words[..] {
        [python, "-m", module, ..] if name(python).starts_with("python") => module.to_owned(),
        [program, ..] => name(program),
        [] => return false,
    };
    let known = plan.framework.as_ref().and_then(|facts| catalog::by_id(facts.id));
    known.is_some_and(|known| {
        known.detect.commands.iter().any(|words| words.first() == Some(&program.as_str()))
    })
}

/// What it is told of itself and the others.
fn told(
    ground: &Ground<'_>,
    unit: &Unit<'_>,
    own: &Sibling,
    siblings: &Siblings,
) -> Vec<(String, String)> {
    let told = Told {
        key: &unit.key,
        root: &ground.root,
        own,
        siblings,
        hints: ground.hints(&unit.key, own, unit.service),
        declared: unit.service,
    };
    let env = told.variables().into_iter().filter(|(name, _)| name != "WHARF_ROOT");
    env.map(|(k, v)| (lossy(&k), lossy(&v))).collect()
}

/// The words of a command, filled in where it has placeholders.
fn filled_words(
    unit: &Unit<'_>,
    argv: Vec<OsString>,
    own: &Sibling,
    siblings: &Siblings,
) -> Vec<OsString> {
    match unit.service {
        Some(service) if service.verbatim.run => argv,
        _ => argv.iter().map(|word| template::fill(word, own, siblings)).collect(),
    }
}

/// The same in a container: on all of its addresses, at the conventional port. `WHARF_` variables of its own say
/// nothing there.
fn launch_within(ground: &Ground<'_>, unit: &Unit<'_>, siblings: &Siblings) -> Launch {
    let own = unit.within();
    let port = Port::new(own.port);
    let values = port.map(|port| Values {
        host: WITHIN_HOST.to_owned(),
        ports: vec![port],
        files: PathBuf::from("{files}"),
    });
    let Some((plan, values)) = unit.plan.as_ref().zip(values) else {
        return launch(ground, unit, &unit.own, siblings);
    };
    let argv = filled_words(unit, plan.argv(&values), &own, siblings);
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |name: String, value: String| {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    };
    if unit.service.is_none_or(|service| !service.is_step()) {
        set("HOST".to_owned(), WITHIN_HOST.to_owned());
        set("PORT".to_owned(), own.port.to_string());
        for (name, value) in plan.env(&values) {
            set(lossy(&name), lossy(&value));
        }
    }
    for (name, value) in template::variables(&own, siblings) {
        set(name, value);
    }
    if let Some(service) = unit.service {
        for (name, value) in &service.env {
            set(name.clone(), lossy(&template::variable(service, (name, value), &own, siblings)));
        }
    }
    env.retain(|(_, value)| !value.contains(FILES));
    Launch { argv: without_files(argv), env }
}

/// A command that names files which wharf writes for it alone cannot be said without wharf.
fn without_files(argv: Vec<OsString>) -> Vec<OsString> {
    let names_one = argv.iter().any(|word| word.to_string_lossy().contains(FILES));
    if names_one { Vec::new() } else { argv }
}

/// Where it was found, without the way to this checkout: the same in every one.
fn source(service: &Service, root: &Path) -> String {
    service.source.replace(&format!("{}/", root.display()), "")
}
