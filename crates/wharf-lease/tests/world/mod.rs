//! A small world for the ledger: a kernel made of a set, a clock that is set by hand.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use wharf_lease::{Busy, Kernel, KeyRequest, Ledger, Moment, Occupancy, Refusal, Request};
use wharf_model::{
    Holder, Lease, LeaseKind, PathText, Port, PortRange, PortRequest, ProcessId, ServiceKey,
};

pub(crate) const DAY: u64 = 86_400;
pub(crate) const BOOT: &str = "boot-1";

/// What is on which port, as the kernel would say.
#[derive(Debug, Default)]
pub(crate) struct FakeKernel {
    pub(crate) taken: BTreeMap<u16, &'static str>,
    pub(crate) denied: Vec<u16>,
    pub(crate) all_denied: bool,
    pub(crate) asked: usize,
}

impl Kernel for FakeKernel {
    fn occupancy(&mut self, port: Port) -> Occupancy {
        self.asked += 1;
        if self.all_denied || self.denied.contains(&port.get()) {
            return Occupancy::Denied;
        }
        match self.taken.contains_key(&port.get()) {
            true => Occupancy::Taken,
            false => Occupancy::Free,
        }
    }

    fn holder(&mut self, port: Port) -> Holder {
        Holder { command: self.taken.get(&port.get()).map(|s| s.to_string()), ..Holder::default() }
    }

    fn process(&mut self, pid: u32) -> Holder {
        Holder { pid: Some(pid), ..Holder::default() }
    }
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) ledger: Ledger,
    pub(crate) kernel: FakeKernel,
    pub(crate) now: Moment,
    requests: u32,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let now = Moment { wall_s: 1_800_000_000, boot_ms: 1_000_000 };
        let ledger = Ledger::open(&folder.path().join("wharf.db"), now, BOOT).unwrap();
        World { folder, ledger, kernel: FakeKernel::default(), now, requests: 0 }
    }

    /// Another daemon on the same database.
    pub(crate) fn reopen(&mut self) {
        let path = self.folder.path().join("wharf.db");
        // The old one is dropped first: there is never more than one.
        let empty = Ledger::open(Path::new("/nonexistent/wharf.db"), self.now, BOOT).unwrap();
        drop(std::mem::replace(&mut self.ledger, empty));
        self.ledger = Ledger::open(&path, self.now, BOOT).unwrap();
    }

    pub(crate) fn days(&mut self, days: u64) {
        self.now.wall_s += days * DAY;
        self.now.boot_ms += days * DAY * 1000;
    }

    pub(crate) fn request(
        &mut self,
        key: Option<KeyRequest>,
        request: PortRequest,
        pid: u32,
    ) -> Request {
        self.requests += 1;
        Request {
            request_id: format!("r{}", self.requests),
            key,
            request,
            slots: 1,
            owner: LeaseKind::Process(process(pid)),
            busy: Vec::new(),
            agent: None,
            ephemeral: PortRange::LINUX_EPHEMERAL,
        }
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Result<Vec<Lease>, Refusal> {
        self.ledger.request(request, self.now, &mut self.kernel)
    }

    /// One port for a key, by the whole policy.
    pub(crate) fn run(&mut self, key: KeyRequest, conventional: u16, pid: u32) -> Lease {
        let request = self.request(Some(key), PortRequest::Conventional(port(conventional)), pid);
        self.ask(&request).unwrap().remove(0)
    }

    pub(crate) fn end(&mut self, pid: u32) {
        self.ledger.owner_gone(&process(pid), self.now);
    }

    pub(crate) fn home(&self, key: &ServiceKey) -> Option<u16> {
        self.ledger.table().home_of(key, self.now.wall_s).map(|home| home.port.get())
    }
}

pub(crate) fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

pub(crate) fn process(pid: u32) -> ProcessId {
    ProcessId { pid, start_ticks: u64::from(pid) * 7, boot_id: BOOT.into() }
}

pub(crate) fn web(project: &str) -> KeyRequest {
    KeyRequest {
        project: PathText::from_text(format!("/src/{project}")),
        worktree: String::new(),
        service: "web".into(),
        instance: None,
    }
}

pub(crate) fn worktree(project: &str, name: &str) -> KeyRequest {
    KeyRequest { worktree: name.into(), ..web(project) }
}

pub(crate) fn busy(number: u16, command: &str) -> Busy {
    let holder = Holder { command: Some(command.into()), ..Holder::default() };
    Busy { port: port(number), holder: Some(holder) }
}
