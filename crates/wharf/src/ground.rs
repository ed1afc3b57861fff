//! A checkout with what it declares, what of it runs, and where names lead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_control::api::ProxyPorts;
use wharf_model::plan::Values;
use wharf_model::service::Service;
use wharf_model::{Instance, LaunchPlan, PathText, Port, ServiceKey, name};

use crate::checkout::{self, Checkout};
use crate::environment::Variables;
use crate::link::Link;
use crate::narrate;
use crate::pilot::{HOST, url_of_host};
use crate::report::Report;
use crate::up::order::{Order, Sibling, Siblings};
use crate::up::project::Wanted;
use crate::up::published;

/// The placeholder of files that are a server's alone.
pub(crate) const FILES: &str = "{files";

/// A checkout with what it declares and where names lead.
pub(crate) struct Ground<'a> {
    checkout: &'a Checkout,
    pub(crate) root: PathBuf,
    project: PathText,
    pub(crate) worktree: String,
    pub(crate) wanted: Option<Wanted>,
    proxy: ProxyPorts,
}

impl Ground<'_> {
    /// That of a root.
    ///
    /// # Errors
    /// There is no daemon, or its `wharf.toml` is not understood.
    pub(crate) async fn of(checkout: &Checkout, root: PathBuf) -> Result<Ground<'_>, Report> {
        let wanted = checkout::declared(&root)?;
        Ground::with(checkout, root, wanted).await
    }

    /// The same where only what runs is asked for: what it declares may be wrong, and is then said and left out.
    ///
    /// # Errors
    /// There is no daemon.
    pub(crate) async fn of_running(
        checkout: &Checkout,
        root: PathBuf,
    ) -> Result<Ground<'_>, Report> {
        let wanted = checkout::declared(&root).unwrap_or_else(|report| {
            narrate::warning(&format!("{}: {}", root.display(), report.what));
            None
        });
        Ground::with(checkout, root, wanted).await
    }

    async fn with(
        checkout: &Checkout,
        root: PathBuf,
        wanted: Option<Wanted>,
    ) -> Result<Ground<'_>, Report> {
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
            wanted,
            root,
            project: PathText::new(&project.path),
            worktree: project.worktree,
            proxy: ProxyPorts { http: port("http"), https: port("https") },
        })
    }

    /// The key of an instance of this checkout.
    pub(crate) fn key(&self, service: &str, instance: u32) -> ServiceKey {
        ServiceKey {
            project: self.project.clone(),
            worktree: self.worktree.clone(),
            service: service.to_owned(),
            instance,
        }
    }

    /// What is declared or was found.
    pub(crate) fn services(&self) -> &[Service] {
        self.wanted.as_ref().map(|wanted| wanted.services.as_slice()).unwrap_or_default()
    }

    /// Where one that does not run will be found, by the port that is remembered of it.
    pub(crate) fn remembered(&self, key: &ServiceKey) -> Option<Sibling> {
        let homes = &self.checkout.snapshot.homes;
        let port = homes.iter().find(|home| home.key == *key)?.port.get();
        Some(self.at_port(key, port))
    }

    /// Where one that does not run would be found at this port.
    pub(crate) fn at_port(&self, key: &ServiceKey, port: u16) -> Sibling {
        let host = self.host(key);
        Sibling {
            service: key.service.clone(),
            instance: key.instance,
            host: HOST.to_owned(),
            port,
            url: url_of_host(&host, self.proxy, port, "http"),
            direct_url: format!("http://{HOST}:{port}"),
        }
    }

    /// The name of an instance.
    pub(crate) fn host(&self, key: &ServiceKey) -> String {
        let primary = self.wanted.as_ref().and_then(Wanted::primary) == Some(key.service.as_str());
        name::host(key, self.label(), primary)
    }

    /// The label of the project, where it was given one.
    fn label(&self) -> Option<&str> {
        let of_project = |i: &&Instance| i.key.project == self.project;
        let instances = &self.checkout.snapshot.instances;
        instances.iter().filter(of_project).find_map(|i| name::label_in(&i.url))
    }

    /// The host of the checkout itself: what its primary service is called, whether it has one or not.
    pub(crate) fn site(&self) -> String {
        name::host(&self.key("", 1), self.label(), true)
    }

    /// Everybody that lives, and of the rest where they will be.
    pub(crate) fn siblings(&self) -> Siblings {
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
        all.0.extend(self.outside());
        all
    }

    /// Where the services of other programs are found.
    pub(crate) fn outside(&self) -> Vec<Sibling> {
        let of = |wanted: &Wanted| published::siblings(&wanted.external, &wanted.services);
        self.wanted.as_ref().map(of).unwrap_or_default()
    }

    /// What its framework reads, and `PORT` and `HOST` in any case.
    pub(crate) fn hints(
        &self,
        key: &ServiceKey,
        own: &Sibling,
        service: Option<&Service>,
    ) -> Variables {
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
        let mut plan = self.plan(key, service).ok()?;
        plan.env.retain(|(_, value)| !value.contains(FILES));
        Some(plan.env(&self.values(key, own)?))
    }

    /// The launch plan of an instance.
    ///
    /// # Errors
    /// Its folder does not say what to run, or its declaration is not understood.
    pub(crate) fn plan(&self, key: &ServiceKey, service: &Service) -> Result<LaunchPlan, Report> {
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
        crate::up::pilot::plan(&order)
    }

    /// What its plan's placeholders stand for.
    pub(crate) fn values(&self, key: &ServiceKey, own: &Sibling) -> Option<Values> {
        let leases = &self.checkout.snapshot.leases;
        let further = leases.iter().filter(|lease| lease.key.as_ref() == Some(key));
        let first = Port::new(own.port)?;
        let further = further.map(|lease| lease.port).filter(|port| *port != first);
        let ports = std::iter::once(first).chain(further).collect();
        Some(Values { host: own.host.clone(), ports, files: PathBuf::from("{files}") })
    }
}
