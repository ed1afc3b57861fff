//! Reading everything back, row by row: what is unreadable is counted, what is readable is saved.

use rusqlite::{Connection, Row};
use wharf_model::alias::parse_name;
use wharf_model::{
    Agent, Alias, Focus, Instance, Lease, LeaseKind, PathText, Port, ServiceKey, Target, TcpName,
};

use crate::change::Change;
use crate::home::Home;
use crate::label::Label;
use crate::moment::{Deadline, Moment};
use crate::table::{Held, Table};

/// What a database held.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) table: Table,
    /// The number that the next lease gets.
    pub(crate) next_id: i64,
    /// How many rows (or whole tables) could not be read.
    pub(crate) unreadable: usize,
}

/// Reads the whole database. It never fails: an unreadable part is counted instead.
pub(crate) fn load(connection: &Connection, now: Moment, boot_id: &str) -> Loaded {
    let mut loaded = Loaded::default();
    loaded.homes(connection);
    loaded.labels(connection);
    loaded.leases(connection, now, boot_id);
    loaded.instances(connection);
    loaded.names(connection);
    loaded.next_id(connection);
    loaded
}

impl Loaded {
    fn homes(&mut self, connection: &Connection) {
        let sql = "SELECT project, worktree, service, instance, port, last_use FROM homes";
        for home in self.rows(connection, sql, home) {
            match self.table.former_home_on(home.port) {
                Some(_) => self.unreadable += 1,
                None => self.table.apply(Change::Settle(home)),
            }
        }
    }

    fn labels(&mut self, connection: &Connection) {
        let sql = "SELECT project, label, last_use FROM labels";
        for label in self.rows(connection, sql, label) {
            match self.table.labelled(&label.text) {
                Some(_) => self.unreadable += 1,
                None => self.table.apply(Change::Name(label)),
            }
        }
    }

    fn leases(&mut self, connection: &Connection, now: Moment, boot_id: &str) {
        let sql =
            "SELECT id, port, request_id, slot, ends_boot_ms, ends_boot_id, ends_wall_s, lease
                   FROM leases ORDER BY id";
        for mut held in self.rows(connection, sql, held) {
            if self.table.conflict(&held).is_some() {
                self.unreadable += 1;
                continue;
            }
            if let LeaseKind::Ttl(ttl_s) = held.lease.kind {
                let deadline = held.deadline.unwrap_or(Deadline::after(ttl_s, now, boot_id));
                held.deadline = Some(deadline.on_this_boot(ttl_s, now, boot_id));
            }
            self.table.apply(Change::Hold(held));
        }
    }

    fn instances(&mut self, connection: &Connection) {
        // One that is not understood was written by another version, which is no damage: its pilot
        // tells of it again.
        let sql = "SELECT id, instance FROM instances";
        for instance in
            self.rows(connection, sql, |row| Ok(Some(instance(row)?))).into_iter().flatten()
        {
            self.table.apply(Change::Instance(Box::new(instance)));
        }
    }

    fn names(&mut self, connection: &Connection) {
        let sql = "SELECT name, target, since, checkout FROM aliases";
        for alias in self.rows(connection, sql, alias) {
            self.table.apply(Change::Alias(alias));
        }
        let sql = "SELECT name, port, since, agent FROM tcp_names";
        for named in self.rows(connection, sql, tcp_name) {
            self.table.apply(Change::TcpName(named));
        }
        let sql =
            "SELECT project, worktree, service, instance, port, tcp, since, agent FROM focuses";
        for focus in self.rows(connection, sql, focus) {
            self.table.apply(Change::Focus(focus));
        }
    }

    fn next_id(&mut self, connection: &Connection) {
        let stored = self
            .rows(connection, "SELECT value FROM meta WHERE name = 'next_lease_id'", |row| {
                Ok(Some(row.get::<_, i64>(0)?))
            })
            .into_iter()
            .next();
        let above = self.table.leases().map(|held| held.lease.id.saturating_add(1)).max();
        self.next_id = stored.max(above).unwrap_or(1).max(1);
    }

    /// Every row that `read` makes sense of; the others are counted, and so is a table that cannot
    /// be read to its end.
    fn rows<T>(
        &mut self,
        connection: &Connection,
        sql: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        let Ok(mut statement) = connection.prepare(sql) else {
            self.unreadable += 1;
            return found;
        };
        let Ok(mut rows) = statement.query([]) else {
            self.unreadable += 1;
            return found;
        };
        loop {
            match rows.next() {
                Ok(None) => return found,
                Ok(Some(row)) => match read(row) {
                    Ok(Some(value)) => found.push(value),
                    Ok(None) | Err(_) => self.unreadable += 1,
                },
                Err(_) => {
                    self.unreadable += 1;
                    return found;
                }
            }
        }
    }
}

/// From the first four columns.
fn key(row: &Row<'_>) -> rusqlite::Result<ServiceKey> {
    Ok(ServiceKey {
        project: PathText::from_text(row.get(0)?),
        worktree: row.get(1)?,
        service: row.get(2)?,
        instance: row.get(3)?,
    })
}

fn focus(row: &Row<'_>) -> rusqlite::Result<Option<Focus>> {
    let key = key(row)?;
    let Some(port) = Port::new(row.get(4)?) else { return Ok(None) };
    let (tcp, since, agent) = (row.get(5)?, unsigned(row.get(6)?), agent(row.get(7)?));
    Ok(Some(Focus { port, key, tcp, since, agent }))
}

fn home(row: &Row<'_>) -> rusqlite::Result<Option<Home>> {
    let key = key(row)?;
    let Some(port) = Port::new(row.get(4)?) else { return Ok(None) };
    Ok(Some(Home { key, port, last_use: unsigned(row.get(5)?) }))
}

fn label(row: &Row<'_>) -> rusqlite::Result<Option<Label>> {
    let project = PathText::from_text(row.get(0)?);
    Ok(Some(Label { project, text: row.get(1)?, last_use: unsigned(row.get(2)?) }))
}

fn held(row: &Row<'_>) -> rusqlite::Result<Option<Held>> {
    let text: String = row.get(7)?;
    let Ok(lease) = serde_json::from_str::<Lease>(&text) else { return Ok(None) };
    if lease.id != row.get::<_, i64>(0)? || lease.port.get() != row.get::<_, u16>(1)? {
        return Ok(None);
    }
    let deadline = match (row.get::<_, Option<i64>>(4)?, row.get(5)?, row.get::<_, Option<i64>>(6)?)
    {
        (Some(boot_ms), Some(boot_id), Some(wall_s)) => {
            Some(Deadline { boot_ms: unsigned(boot_ms), boot_id, wall_s: unsigned(wall_s) })
        }
        _ => None,
    };
    Ok(Some(Held { lease, request_id: row.get(2)?, slot: row.get(3)?, deadline }))
}

fn instance(row: &Row<'_>) -> rusqlite::Result<Option<Instance>> {
    let (id, text): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(serde_json::from_str::<Instance>(&text).ok().filter(|instance| instance.id == id))
}

fn alias(row: &Row<'_>) -> rusqlite::Result<Option<Alias>> {
    let Some(name) = whole_name(row.get(0)?) else { return Ok(None) };
    let Ok(target) = Target::parse(&row.get::<_, String>(1)?) else { return Ok(None) };
    let checkout = row.get::<_, Option<String>>(3)?.map(PathText::from_text);
    Ok(Some(Alias { name, target, since: unsigned(row.get(2)?), checkout }))
}

fn tcp_name(row: &Row<'_>) -> rusqlite::Result<Option<TcpName>> {
    let Some(name) = whole_name(row.get(0)?) else { return Ok(None) };
    let to = match row.get::<_, Option<u16>>(1)?.map(Port::new) {
        Some(None) => return Ok(None),
        Some(port) => port,
        None => None,
    };
    Ok(Some(TcpName { name, to, since: unsigned(row.get(2)?), agent: agent(row.get(3)?) }))
}

/// Who asked, as far as that can still be read.
fn agent(text: Option<String>) -> Option<Agent> {
    serde_json::from_str(&text?).ok()
}

/// A name as it was written, if it is one.
fn whole_name(text: String) -> Option<String> {
    parse_name(&text).ok().filter(|name| *name == text)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
