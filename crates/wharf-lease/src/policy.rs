//! Which port a request gets.
//!
//! 1. A port asked for by number: that one, or an error that names the holder.
//! 2. The conventional port, for the first instance of the main checkout, if no other wharf service
//!    owns it and the kernel says that it is free.
//! 3. The service's home.
//! 4. The next free port upwards that belongs to nobody.

use wharf_model::lease::Displaced;
use wharf_model::policy::fallback_ports;
use wharf_model::{Port, PortRange, PortRequest, ServiceKey, Why};

use crate::kernel::Kernel;
use crate::request::Refusal;
use crate::view::{Obstacle, View};

/// How often one request may ask the kernel about a port before it gives up.
const MAX_ASKED: u32 = 4096;
/// Below this port a bind may be refused for want of a privilege; above it only by a sandbox, which
/// would refuse every other port as well.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// The port chosen for one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) port: Port,
    pub(crate) why: Why,
    /// Whether the port becomes (or stays) the key's home.
    pub(crate) remember: bool,
}

/// One decision under way.
pub(crate) struct Decision<'v, 't, 'k> {
    pub(crate) view: &'v mut View<'t>,
    pub(crate) kernel: &'k mut dyn Kernel,
    pub(crate) key: Option<&'v ServiceKey>,
    pub(crate) ephemeral: PortRange,
}

impl Decision<'_, '_, '_> {
    /// The port for the request.
    pub(crate) fn choose(&mut self, request: PortRequest) -> Result<Choice, Refusal> {
        match request {
            PortRequest::Exactly(port) => self.exactly(port),
            PortRequest::AtLeast(port) => self.at_least(port),
            PortRequest::Conventional(port) => self.conventional(port),
            PortRequest::Remembered(port) => self.remembered(port),
        }
    }

    /// The home if there is one and it is free, else this port or the next free one.
    fn remembered(&mut self, wanted: Port) -> Result<Choice, Refusal> {
        match self.free_home()? {
            Some(choice) => Ok(choice),
            None => self.at_least(wanted),
        }
    }

    fn free_home(&mut self) -> Result<Option<Choice>, Refusal> {
        let Some(port) = self.view.home_of(self.key) else { return Ok(None) };
        let why = Why::Home { instead_of: None };
        let free = self.obstacle(port)?.is_none();
        Ok(free.then_some(Choice { port, why, remember: true }))
    }

    /// A further port of the same service: its home, else the next free one after `previous`.
    pub(crate) fn choose_further(&mut self, previous: Port) -> Result<Choice, Refusal> {
        if let Some(choice) = self.free_home()? {
            return Ok(choice);
        }
        let remember = self.view.home_of(self.key).is_none();
        Ok(Choice { port: self.next_free(previous)?, why: Why::Asked, remember })
    }

    /// Exactly this port. An explicit request is stronger than another's memory of the port, but
    /// not than another's lease; it never moves a home.
    fn exactly(&mut self, port: Port) -> Result<Choice, Refusal> {
        let obstacle = match self.view.obstacle(port, self.key, self.kernel) {
            Some(Obstacle::Home) => self.view.seen(port, self.kernel),
            other => other,
        };
        match obstacle {
            None => Ok(Choice { port, why: Why::Asked, remember: self.may_settle(port) }),
            Some(Obstacle::Denied) => Err(Refusal::Denied { port }),
            Some(obstacle) => {
                let holder = Box::new(self.view.holder(port, obstacle, self.kernel));
                let foreign = obstacle == Obstacle::Foreign;
                Err(Refusal::Taken { port, holder, foreign })
            }
        }
    }

    fn at_least(&mut self, wanted: Port) -> Result<Choice, Refusal> {
        let Some(obstacle) = self.obstacle(wanted)? else {
            let remember = self.may_settle(wanted);
            return Ok(Choice { port: wanted, why: Why::Asked, remember });
        };
        let displaced = self.displaced(wanted, obstacle);
        if let Some(home) = self.view.home_of(self.key)
            && home > wanted
            && self.obstacle(home)?.is_none()
        {
            let why = Why::Home { instead_of: Some(Box::new(displaced)) };
            return Ok(Choice { port: home, why, remember: true });
        }
        let port = self.next_free(wanted)?;
        let remember = !displaced.foreign && self.may_settle(port);
        Ok(Choice { port, why: Why::NextFree(Box::new(displaced)), remember })
    }

    fn conventional(&mut self, wanted: Port) -> Result<Choice, Refusal> {
        let home = self.view.home_of(self.key);
        let mut displaced = None;
        if self.may_claim_conventional() || home == Some(wanted) {
            match self.obstacle(wanted)? {
                None => {
                    let why = match self.may_claim_conventional() {
                        true => Why::Conventional,
                        false => Why::Home { instead_of: None },
                    };
                    return Ok(Choice { port: wanted, why, remember: true });
                }
                Some(obstacle) => displaced = Some(Box::new(self.displaced(wanted, obstacle))),
            }
        }
        if let Some(home) = home.filter(|home| *home != wanted) {
            match self.obstacle(home)? {
                None => {
                    let why = Why::Home { instead_of: displaced };
                    return Ok(Choice { port: home, why, remember: true });
                }
                // What keeps the service from its home is the news, not what kept it from the
                // conventional port long ago.
                Some(obstacle) => displaced = Some(Box::new(self.displaced(home, obstacle))),
            }
        }
        let displaced = displaced.or_else(|| self.sibling_on(wanted));
        let port = self.next_free(wanted)?;
        // A home that is merely occupied stays the home; a stranger on the conventional port makes
        // no other port one.
        let foreign = displaced.as_ref().is_some_and(|displaced| displaced.foreign);
        let remember = home.is_none() && !foreign;
        let why = displaced.map_or(Why::LeftToMain { wanted }, Why::NextFree);
        Ok(Choice { port, why, remember })
    }

    /// Only the first instance of the main checkout claims the conventional port; so does an
    /// anonymous request, which has no main checkout to leave it to.
    fn may_claim_conventional(&self) -> bool {
        self.key.is_none_or(|key| key.is_main_checkout() && key.instance == 1)
    }

    /// For a further instance: the first one on the conventional port, if that is who has it.
    fn sibling_on(&mut self, wanted: Port) -> Option<Box<Displaced>> {
        let key = self.key?;
        let holder = self.view.lease_on(wanted)?.lease.key.as_ref()?;
        let is_sibling = holder.project == key.project
            && holder.worktree == key.worktree
            && holder.service == key.service;
        is_sibling.then(|| Box::new(self.displaced(wanted, Obstacle::Lease)))
    }

    fn displaced(&mut self, wanted: Port, obstacle: Obstacle) -> Displaced {
        let holder = self.view.holder(wanted, obstacle, self.kernel);
        let foreign = matches!(obstacle, Obstacle::Foreign | Obstacle::Denied);
        Displaced { wanted, holder, foreign }
    }

    fn next_free(&mut self, wanted: Port) -> Result<Port, Refusal> {
        let start = self.view.asked;
        for port in fallback_ports(wanted, self.ephemeral) {
            if self.obstacle(port)?.is_none() {
                return Ok(port);
            }
            if self.view.asked - start >= MAX_ASKED {
                break;
            }
        }
        Err(Refusal::NoFreePort { wanted, tried: self.view.asked - start })
    }

    /// Like [`View::obstacle`], but a refusal that no other port would escape ends the search.
    fn obstacle(&mut self, port: Port) -> Result<Option<Obstacle>, Refusal> {
        let obstacle = self.view.obstacle(port, self.key, self.kernel);
        if obstacle == Some(Obstacle::Denied) && port.get() >= FIRST_UNPRIVILEGED {
            return Err(Refusal::Denied { port });
        }
        Ok(obstacle)
    }

    /// Whether a port that was asked for by number becomes the home: only where there is none yet,
    /// so that one `--port` moves no bookmark, and where it is nobody else's.
    fn may_settle(&self, port: Port) -> bool {
        self.view.home_of(self.key).is_none_or(|home| home == port)
            && !self.view.home_of_another(port, self.key)
    }
}
