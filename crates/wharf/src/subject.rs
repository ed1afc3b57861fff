//! The instance whose environment is asked for: one that runs, or one whose port is remembered.

use std::path::PathBuf;

use wharf_model::{Instance, Service, ServiceKey};
use wharf_os::process;

use crate::checkout::{self, Checkout};
use crate::environment::{Told, Variables};
use crate::ground::Ground;
use crate::report::{Code, Report};
use crate::up::order::{Sibling, Siblings};
use crate::up::project::Wanted;

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
    declared: Option<Service>,
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
                Ok(Subject::on(
                    &ground,
                    instance.key.clone(),
                    Sibling::of(instance),
                    Some(instance),
                ))
            }
            Err(report) if report.code == Code::NotFound => {
                let ground = Ground::of(&checkout, checkout.project.root.clone()).await?;
                let primary = ground.wanted.as_ref().and_then(Wanted::primary);
                let Some(name) = name.or(primary) else { return Err(report) };
                let (service, number) = checkout::split(name);
                let key = ground.key(service, number.unwrap_or(1));
                let own = ground.remembered(&key);
                let own = own.ok_or_else(|| report.why("no port of it is remembered either"))?;
                Ok(Subject::on(&ground, key, own, None))
            }
            Err(report) => Err(report),
        }
    }

    fn on(
        ground: &Ground<'_>,
        key: ServiceKey,
        own: Sibling,
        instance: Option<&Instance>,
    ) -> Subject {
        let service = ground.services().iter().find(|service| service.name == key.service);
        let cwd = instance.and_then(|instance| process::cwd(instance.pid?).ok());
        let dir = service.map(|service| service.dir.clone()).or(cwd);
        Subject {
            hints: ground.hints(&key, &own, service),
            runs: instance.is_some(),
            siblings: ground.siblings(),
            declared: service.cloned(),
            dir: dir.unwrap_or_else(|| ground.root.clone()),
            root: ground.root.clone(),
            key,
            own,
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
            declared: self.declared.as_ref(),
        }
    }
}
