//! `wharf export`: what runs, in the formats of other tools.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use wharf_export::{Document, ExportError, Front, Handover, Server, Target, Tls};
use wharf_model::Port;

use super::Outcome;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::up::collision::{Collision, Sight};
use crate::written::{self, Written};
use crate::{authority, checkout, compose_override, handover, narrate, render};

/// Where web servers listen when nobody says otherwise.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;
/// From where on there is a port for each, as most web servers have it.
const BY_PORT: u16 = 8000;

/// Write what a project runs in the format of another tool.
///
/// By what runs now, and for the rest by the plan. Printed, or with `-o` written: a file that is there and is
/// another one is shown as a patch and left alone, unless `--replace` says otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The tool
    #[arg(value_name = "TARGET")]
    target: Format,
    /// This checkout, what it runs and what it declares [default]
    #[arg(long, conflicts_with = "all")]
    project: bool,
    /// Everything that runs, of every checkout
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Place,
    /// The port of the web server in front [default: 80, with --tls 443, with --by-port from 8000 on]
    #[arg(long, value_name = "PORT")]
    listen: Option<Port>,
    /// Speak TLS there, with a certificate of the local CA's, which is written beside it
    #[arg(long)]
    tls: bool,
    /// nginx: a port for each server, and not a name
    #[arg(long, conflicts_with = "tls")]
    by_port: bool,
    /// k8s: an Ingress, and not an HTTPRoute of the Gateway API
    #[arg(long)]
    ingress: bool,
}

/// Where what is written goes.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// Write to this file, or below this folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show what would change there, and write nothing; exit 8 where something would
    #[arg(long, requires = "output")]
    diff: bool,
    /// Put the new file in the place of one that is there
    #[arg(long, requires = "output", conflicts_with = "diff")]
    replace: bool,
    /// Print one JSON document that holds the files
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Place {
    /// A `wharf.toml` is read in the root of its project alone.
    ///
    /// # Errors
    /// One is to be written elsewhere.
    pub(super) fn goes_to(&self, root: &std::path::Path) -> Result<(), Report> {
        let Some(place) = &self.output else { return Ok(()) };
        let (folder, name) = match place.is_dir() {
            true => (Some(place.as_path()), Some("wharf.toml".as_ref())),
            false => (place.parent(), place.file_name()),
        };
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::canonicalize(folder.unwrap_or(std::path::Path::new("."))).ok();
        if name != Some("wharf.toml".as_ref()) || folder.as_deref() == Some(root) {
            return Ok(());
        }
        Err(Report::new(Code::Usage, "that wharf.toml would not be read")
            .why(format!("the root of this project is {}", root.display()))
            .help(format!("`-o {}`", root.join("wharf.toml").display())))
    }

    /// The file that is named, where that is not a folder.
    fn file(&self) -> Option<&std::path::Path> {
        self.output.as_deref().filter(|output| !output.is_dir())
    }

    /// Whether a JSON document is asked for.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints them, shows what would change, or writes them.
    ///
    /// # Errors
    /// A file that is there differs and is not to be replaced, or one cannot be read or written.
    pub(super) fn take(&self, documents: &[Document]) -> Outcome {
        match &self.output {
            None if self.json => render::export::json(documents)?,
            None => render::export::text(documents)?,
            Some(place) if self.diff => return differences(documents, place),
            Some(place) => write(documents, place, self.replace)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The formats, as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// nginx: a file for its `http` block
    Nginx,
    /// Caddy: a Caddyfile
    Caddy,
    /// Caddy: its own JSON
    CaddyJson,
    /// Traefik: a file for its file provider
    Traefik,
    /// HAProxy: a whole configuration
    Haproxy,
    /// Docker Compose: a project, with labels for Traefik
    Compose,
    /// Docker Compose: an override of the project's own files, with ports of this checkout's
    ComposeOverride,
    /// Kubernetes: Deployments, Services, routes
    K8s,
    /// systemd: units of the user's manager
    Systemd,
    /// A Procfile
    Procfile,
    /// A development container's ports
    Devcontainer,
    /// Visual Studio Code: tasks and launch configurations
    Vscode,
    /// Where everything is, as a .env file
    Env,
    /// The same for direnv
    Direnv,
    /// The same for mise
    Mise,
}

impl Args {
    /// `None` for what is made of the compose files alone.
    fn target(&self) -> Result<Option<Target>, Report> {
        let only = |is_asked: bool, flag: &str, target: &str| match is_asked {
            false => Ok(()),
            true => Err(Report::new(Code::Usage, format!("`{flag}` is for `{target}` alone"))),
        };
        if self.target != Format::Nginx {
            only(self.by_port, "--by-port", "nginx")?;
        }
        if self.target != Format::K8s {
            only(self.ingress, "--ingress", "k8s")?;
        }
        Ok(Some(match self.target {
            Format::ComposeOverride => return self.override_alone(),
            Format::Nginx if self.by_port => Target::NginxPorts,
            Format::Nginx => Target::Nginx,
            Format::Caddy => Target::Caddy,
            Format::CaddyJson => Target::CaddyJson,
            Format::Traefik => Target::Traefik,
            Format::Haproxy => Target::Haproxy,
            Format::Compose => Target::Compose,
            Format::K8s if self.ingress => Target::KubernetesIngress,
            Format::K8s => Target::Kubernetes,
            Format::Systemd => Target::Systemd,
            Format::Procfile => Target::Procfile,
            Format::Devcontainer => Target::Devcontainer,
            Format::Vscode => Target::Vscode,
            Format::Env => Target::Env,
            Format::Direnv => Target::Direnv,
            Format::Mise => Target::Mise,
        }))
    }

    /// It is about one checkout, and no web server is in front of it.
    fn override_alone(&self) -> Result<Option<Target>, Report> {
        let asked = [("--all", self.all), ("--listen", self.listen.is_some()), ("--tls", self.tls)];
        match asked.iter().find(|(_, is_asked)| *is_asked) {
            None => Ok(None),
            Some((flag, _)) => {
                let what = format!("`{flag}` is not for `compose-override`");
                Err(Report::new(Code::Usage, what)
                    .why("it is about the compose files of one checkout"))
            }
        }
    }

    fn port(&self) -> u16 {
        let usual = match (self.by_port, self.tls) {
            (true, _) => BY_PORT,
            (false, true) => HTTPS,
            (false, false) => HTTP,
        };
        self.listen.map_or(usual, Port::get)
    }
}

/// Prints or writes it.
pub(crate) fn run(args: &Args) -> Outcome {
    let Some(target) = args.target()? else { return over(args) };
    if args.all && target.is_of_one_project() {
        let what = format!("{} is about one project", target.title());
        return Err(Report::new(Code::Usage, what).help(
            "call it in the folder of each; `--all` is for web servers, units and variables",
        ));
    }
    let front = Front { port: args.port(), tls: None };
    let mut handover = super::block_on(async {
        match args.all {
            true => handover::of_all(front).await,
            false => handover::of_checkout(front).await,
        }
    })??;
    if args.tls {
        handover.front.tls = Some(certificate(&handover, target)?);
    }
    let documents = target.write(&handover).map_err(refused)?;
    if target == Target::Compose {
        super::block_on(tell_who_is_in_the_way(&handover))??;
    }
    args.output.take(&documents)
}

/// Docker would refuse to publish what somebody else has by now.
async fn tell_who_is_in_the_way(handover: &Handover) -> Result<(), Report> {
    let project = checkout::project()?;
    let planned = handover.servers.iter().filter(|server| !server.runs && !server.is_step);
    let planned = planned.filter_map(|server| Some((server, Port::new(server.port)?)));
    let planned: Vec<(&Server, Port)> = planned.collect();
    let ports: Vec<Port> = planned.iter().map(|(_, port)| *port).collect();
    let sight = Sight::of(&project, Link::known().await?.leases, &ports).await;
    for (server, port) in planned {
        if let Some(Collision { who, help }) = sight.in_the_way(&server.key.service, port) {
            let name = server.label();
            narrate::warning(&format!(
                "`{name}` is to be published at port {port}, which is that of {who}: {help}"
            ));
        }
    }
    Ok(())
}

/// What is laid over the project's own compose files.
fn over(args: &Args) -> Outcome {
    let over = super::block_on(compose_override::of_checkout(args.output.file()))??;
    let document = wharf_export::compose_override(&over).map_err(refused)?;
    args.output.take(&[document])
}

/// A certificate for every name, if the format has a place for it.
fn certificate(handover: &Handover, target: Target) -> Result<Tls, Report> {
    if !target.takes_tls() {
        return Err(refused(ExportError::NoTls { format: target.title() }));
    }
    let mut hosts: Vec<String> = Vec::new();
    for server in handover.servers.iter().filter(|server| server.is_web()) {
        hosts.push(server.site.clone());
        hosts.extend(server.hosts.iter().cloned());
        hosts.extend(
            server.hosts.iter().filter(|_| server.wildcard).map(|host| format!("*.{host}")),
        );
    }
    hosts.sort_unstable();
    hosts.dedup();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let file = authority::hand_over(&handover.name, &hosts)?;
    Ok(Tls { certificate: file.clone(), key: file })
}

pub(super) fn refused(error: ExportError) -> Report {
    let report = Report::new(Code::Failed, error.to_string());
    match error {
        ExportError::NoForm { why, .. } => {
            report.why(why).help("change that value, or hand over to another tool")
        }
        ExportError::Nothing { why, .. } => report.why(why),
        ExportError::NoTls { .. } => Report { code: Code::Usage, ..report }
            .help("`--tls` is for nginx, caddy, caddy-json, traefik and haproxy"),
    }
}

/// Shows what `-o` would do.
fn differences(documents: &[Document], place: &std::path::Path) -> Outcome {
    let mut differs = false;
    for (path, document) in written::places(documents, place) {
        if let Some(patch) = written::patch(&path, &document.text)? {
            differs = true;
            render::text(&patch)?;
        }
    }
    Ok(ExitCode::from(if differs { Code::Findings.number() } else { 0 }))
}

/// Writes all of them, or none: what would be overwritten is found first.
fn write(documents: &[Document], place: &std::path::Path, replace: bool) -> Result<(), Report> {
    let places = written::places(documents, place);
    if !replace {
        let mut differ = Vec::new();
        for (path, document) in places.iter().filter(|(path, _)| path.exists()) {
            if let Some(patch) = written::patch(path, &document.text)? {
                render::text(&patch)?;
                differ.push(path.display().to_string());
            }
        }
        if !differ.is_empty() {
            let what = format!("nothing was written: another {} is there", differ.join(", "));
            return Err(Report::new(Code::Conflict, what)
                .why("the patch above is what would change")
                .help("`--replace` puts the new ones in their place"));
        }
    }
    for (path, document) in places {
        let said = match written::write(&path, document)? {
            Written::New => "written",
            Written::Replaced => "replaced",
            Written::Same => "is the same",
        };
        narrate::line(&format!("{}: {said}", path.display()));
    }
    Ok(())
}
