//! What is to be done so that what runs is what was asked for.

use std::collections::BTreeMap;

use wharf_model::Instance;
use wharf_model::service::Service;

use super::crew::{Unit, called};
use super::definition;
use super::session::{Key, key};

/// The difference between what runs and what is wanted.
#[derive(Debug, Default)]
pub(crate) struct Planning {
    /// Instances to start.
    pub(crate) start: Vec<Unit>,
    /// Instances that run as wanted.
    pub(crate) keep: Vec<Instance>,
    /// Instances to end first, and why.
    pub(crate) end: Vec<(Instance, Why)>,
}

/// Why an instance is ended by `wharf up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its definition is another one now.
    Changed(Vec<String>),
    /// Fewer instances are wanted.
    Surplus,
}

/// Compares. `running` are the live instances of this checkout; `scaled` says of a service that its number was
/// asked for.
pub(crate) fn plan(
    services: &[&Service],
    running: &[Instance],
    scaled: &dyn Fn(&str) -> bool,
) -> Planning {
    let by_key: BTreeMap<Key, &Instance> = running.iter().map(|i| (key(i), i)).collect();
    let mut planning = Planning::default();
    for service in services.iter().filter(|service| !service.is_step()) {
        let wanted = definition::of(service);
        for instance in 1..=service.instances {
            let unit = Unit { service: (*service).clone(), instance, deaths: 0 };
            match by_key.get(&(service.name.clone(), instance)) {
                None => planning.start.push(unit),
                Some(runs) => planning.compare(runs, &wanted, unit),
            }
        }
        let is_surplus =
            |i: &&Instance| i.key.service == service.name && i.key.instance > service.instances;
        for runs in running.iter().filter(is_surplus) {
            if scaled(&service.name) || service.instances > 1 {
                planning.end.push((runs.clone(), Why::Surplus));
            } else {
                // What an earlier `--scale` has added stays, and is no older than the rest.
                let instance = runs.key.instance;
                let unit = Unit { service: (*service).clone(), instance, deaths: 0 };
                planning.compare(runs, &wanted, unit);
            }
        }
    }
    planning.add_steps(services);
    planning
}

/// What an earlier `up` has started, and the project no longer has: a service that was renamed or taken out.
pub(crate) fn left_over(services: &[Service], running: &[Instance]) -> Vec<String> {
    let is_known = |i: &&Instance| services.iter().any(|s| s.name == i.key.service);
    let left = running.iter().filter(|i| i.definition.is_some() && !is_known(i));
    left.map(|i| called(&i.key.service, i.key.instance)).collect()
}

impl Planning {
    fn compare(&mut self, runs: &Instance, wanted: &BTreeMap<String, String>, unit: Unit) {
        // What `wharf run` has started is its terminal's.
        let difference = match &runs.definition {
            Some(known) => definition::difference(known, wanted),
            None => Vec::new(),
        };
        if difference.is_empty() {
            return self.keep.push(runs.clone());
        }
        self.end.push((runs.clone(), Why::Changed(difference)));
        self.start.push(unit);
    }

    /// A step is taken for what depends on it, and where nothing does, whenever something starts.
    fn add_steps(&mut self, services: &[&Service]) {
        let mut needed: Vec<String> = Vec::new();
        let mut open: Vec<String> =
            self.start.iter().flat_map(|unit| unit.service.depends_on.clone()).collect();
        while let Some(name) = open.pop() {
            if !needed.contains(&name) {
                let service = services.iter().find(|service| service.name == name);
                open.extend(service.map(|s| s.depends_on.clone()).unwrap_or_default());
                needed.push(name);
            }
        }
        let serves_nobody =
            |step: &Service| !services.iter().any(|s| s.depends_on.contains(&step.name));
        let something_starts = !self.start.is_empty();
        let only_steps = services.iter().all(|service| service.is_step());
        for step in services.iter().filter(|service| service.is_step()) {
            let is_taken = needed.contains(&step.name)
                || only_steps
                || (something_starts && serves_nobody(step));
            if is_taken {
                self.start.push(Unit { service: (*step).clone(), instance: 1, deaths: 0 });
            }
        }
    }

    /// What is to be ended, by name, for people.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.end
            .iter()
            .map(|(instance, why)| {
                let name = called(&instance.key.service, instance.key.instance);
                match why {
                    Why::Changed(difference) => {
                        format!("{name} is started again: {}", difference.join("; "))
                    }
                    Why::Surplus => format!("{name} is one too many, and ends"),
                }
            })
            .collect()
    }
}
