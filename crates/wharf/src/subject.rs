//! The instance whose environment is asked for: one that runs, or one whose port is remembered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_control::api::ProxyPorts;
use wharf_model::plan::Values;
use wharf_model::service::Service;
use wharf_model::{Instance, PathText, Port, ServiceKey, name};
use wharf_os::process;

use crate::checkout::{self, Checkout};
use crate::environment::{Told, Variables};
use crate::link::Link;
use crate::pilot::{HOST, url_of_host};
use crate::report::{Code, Report};
use crate::up::order::{Order, Sibling, Siblings};
use crate::up::project::Wanted;

/// The placeholder of files that are a server's alone.
const FILES: &str = "{files";

/// An instance, and all that it is told.
pub(crate) struct Subject {
    pub(crate) key: ServiceKey,
    pub(crate) runs: bool,
    /// The root of its checkout.
    pub(crate) root: PathBuf,
    /// The folder that it runs in.
    pub(crate) dir: PathBuf,
    own: Sibling,
    siblings: Siblings,
    hints: Variables,
    declared: BTreeMap<String, String>,
}

impl Subject {
    /// The one that a name means; the primary one of this checkout without a name.
    ///
    /// # Errors
    /// Nothing is known of it: it does not run, and never did.
    pub(crate) async fn find(name: Option<&str>) -> Result<Subject, Report> {
        let checkout = Checkout::here().await?;
        match checkout.one(name) {
            Ok(instance) => {
                let root = instance.root.to_path();
                let ground = Ground::of(&checkout, root).await?;
                Ok(ground.subject(instance.key.clone(), Sibling::of(instance), Some(instance)))
            }
            Err(report) if report.code == Code::NotFound => {
                let ground = Ground::of(&checkout, checkout.project.root.clone()).await?;
                let primary = ground.wanted.as_ref().and_then(Wanted::primary);
                let Some(name) = name.or(primary) else { return Err(report) };
                let (service, number) = checkout::split(name);
                let key = ground.key(service, number.unwrap_or(1));
                let own = ground.remembered(&key);
                let own = own.ok_or_else(|| report.why("no port of it is remembered either"))?;
                Ok(ground.subject(key, own, None))
            }
            Err(report) => Err(report),
        }
    }

    /// What it is told.
    pub(crate) fn told(&self) -> Told<'_> {
        Told {
            key: &self.key,
            root: &self.root,
            own: &self.own,
            siblings: &self.siblings,
            hints: self.hints.clone(),
            declared: &self.declared,
        }
    }
}

/// A checkout with what it declares and where names lead.
struct Ground<'a> {
    checkout: &'a Checkout,
    root: PathBuf,
    project: PathText,
    worktree: String,
    wanted: Option<Wanted>,
    proxy: ProxyPorts,
}

impl Ground<'_> {
    async fn of(checkout: &Checkout, root: PathBuf) -> Result<Ground<'_>, Report> {
        let project = wharf_plan::project::Project::of(&root, wharf_os::user::home().as_deref());
        let listeners = Link::open().await?.proxy().await?.listeners;
        let port = |scheme: &str| {
            let own = |one: &&wharf_control::api::ProxyListener| {
                one.scheme == scheme && one.address.is_loopback()
            };
            listeners.iter().find(own).map(|listener| listener.port)
        };
        Ok(Ground {
            checkout,
            wanted: checkout::declared(&root)?,
            root,
            project: PathText::new(&project.path),
            worktree: project.worktree,
            proxy: ProxyPorts { http: port("http"), https: port("https") },
        })
    }

    fn key(&self, service: &str, instance: u32) -> ServiceKey {
        ServiceKey {
            project: self.project.clone(),
            worktree: self.worktree.clone(),
            service: service.to_owned(),
            instance,
        }
    }

    fn services(&self) -> &[Service] {
        self.wanted.as_ref().map(|wanted| wanted.services.as_slice()).unwrap_or_default()
    }

    /// Where one that does not run will be found.
    fn remembered(&self, key: &ServiceKey) -> Option<Sibling> {
        let snapshot = &self.checkout.snapshot;
        let port = snapshot.homes.iter().find(|home| home.key == *key)?.port.get();
        let of_project = |i: &&Instance| i.key.project == key.project;
        let label =
            snapshot.instances.iter().filter(of_project).find_map(|i| name::label_in(&i.url));
        let primary = self.wanted.as_ref().and_then(Wanted::primary) == Some(key.service.as_str());
        let host = name::host(key, label, primary);
        Some(Sibling {
            service: key.service.clone(),
            instance: key.instance,
            host: HOST.to_owned(),
            port,
            url: url_of_host(&host, self.proxy, port, "http"),
            direct_url: format!("http://{HOST}:{port}"),
        })
    }

    /// Everybody that lives, and of the rest where they will be.
    fn siblings(&self) -> Siblings {
        let root = PathText::new(&self.root);
        let mut all = Siblings::living(&self.checkout.snapshot.instances, &root);
        for service in self.services().iter().filter(|service| !service.is_step()) {
            let has = |known: &Sibling| known.service == service.name;
            if !all.0.iter().any(has) {
                let keys = (1..=service.instances).map(|number| self.key(&service.name, number));
                let rest: Vec<Sibling> = keys.filter_map(|key| self.remembered(&key)).collect();
                all.0.extend(rest);
            }
        }
        all
    }

    fn subject(&self, key: ServiceKey, own: Sibling, instance: Option<&Instance>) -> Subject {
        let service = self.services().iter().find(|service| service.name == key.service);
        let cwd = instance.and_then(|instance| process::cwd(instance.pid?).ok());
        let dir = service.map(|service| service.dir.clone()).or(cwd);
        Subject {
            hints: self.hints(&key, &own, service),
            runs: instance.is_some(),
            siblings: self.siblings(),
            declared: service.map(|service| service.env.clone()).unwrap_or_default(),
            dir: dir.unwrap_or_else(|| self.root.clone()),
            root: self.root.clone(),
            key,
            own,
        }
    }

    /// What its framework reads, and `PORT` and `HOST` in any case.
    fn hints(&self, key: &ServiceKey, own: &Sibling, service: Option<&Service>) -> Variables {
        let mut hints = service.and_then(|service| self.planned(key, own, service));
        let hints = hints.get_or_insert_default();
        for (name, value) in [("HOST", own.host.clone()), ("PORT", own.port.to_string())] {
            if !hints.iter().any(|(known, _)| known == name) {
                hints.insert(0, (name.into(), value.into()));
            }
        }
        std::mem::take(hints)
    }

    /// By its plan. What cannot be planned now is told its port alone.
    fn planned(&self, key: &ServiceKey, own: &Sibling, service: &Service) -> Option<Variables> {
        let order = Order {
            service: service.clone(),
            instance: key.instance,
            root: self.root.clone(),
            worktree: self.worktree.clone(),
            primary: false,
            definition: BTreeMap::new(),
            attached: None,
            deaths: 0,
            published: Vec::new(),
            agent: None,
        };
        let mut plan = crate::up::pilot::plan(&order).ok()?;
        plan.env.retain(|(_, value)| !value.contains(FILES));
        let leases = &self.checkout.snapshot.leases;
        let further = leases.iter().filter(|lease| lease.key.as_ref() == Some(key));
        let first = Port::new(own.port)?;
        let further = further.map(|lease| lease.port).filter(|port| *port != first);
        let ports = std::iter::once(first).chain(further).collect();
        Some(plan.env(&Values { host: own.host.clone(), ports, files: PathBuf::new() }))
    }
}
