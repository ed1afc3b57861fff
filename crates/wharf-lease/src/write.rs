//! The statements that put changes into the database.

use rusqlite::{Connection, Transaction, params};
use wharf_model::{Agent, PathText, Port};

use crate::change::Change;
use crate::table::Table;

/// Makes the changes of one request, all or none.
pub(crate) fn write_changes(
    connection: &mut Connection,
    changes: &[Change],
    next_id: i64,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for change in changes {
        write_change(&transaction, change)?;
    }
    write_next_id(&transaction, next_id)?;
    transaction.commit()
}

/// Makes the file hold exactly the table.
pub(crate) fn write_all(
    connection: &mut Connection,
    table: &Table,
    next_id: i64,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "DELETE FROM leases; DELETE FROM homes; DELETE FROM labels; DELETE FROM instances;
         DELETE FROM aliases; DELETE FROM tcp_names; DELETE FROM focuses;",
    )?;
    for home in table.all_homes() {
        write_change(&transaction, &Change::Settle(home.clone()))?;
    }
    for label in table.labels() {
        write_change(&transaction, &Change::Name(label.clone()))?;
    }
    for held in table.leases() {
        write_change(&transaction, &Change::Hold(held.clone()))?;
    }
    for instance in table.instances() {
        write_change(&transaction, &Change::Instance(Box::new(instance.clone())))?;
    }
    for alias in table.aliases() {
        write_change(&transaction, &Change::Alias(alias.clone()))?;
    }
    for named in table.tcp_names() {
        write_change(&transaction, &Change::TcpName(named.clone()))?;
    }
    for focus in table.focuses() {
        write_change(&transaction, &Change::Focus(focus.clone()))?;
    }
    write_next_id(&transaction, next_id)?;
    transaction.commit()
}

fn write_next_id(transaction: &Transaction<'_>, next_id: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('next_lease_id', ?1)")?
        .execute([next_id])?;
    Ok(())
}

fn write_change(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Hold(held) => {
            let key = held.lease.key.as_ref();
            let deadline = held.deadline.as_ref();
            transaction
                .prepare_cached(
                    "INSERT INTO leases VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
                )?
                .execute(params![
                    held.lease.id,
                    held.lease.port.get(),
                    key.map(|key| key.project.as_str()),
                    key.map(|key| key.worktree.as_str()),
                    key.map(|key| key.service.as_str()),
                    key.map(|key| key.instance),
                    held.request_id,
                    held.slot,
                    deadline.map(|deadline| signed(deadline.boot_ms)),
                    deadline.map(|deadline| deadline.boot_id.as_str()),
                    deadline.map(|deadline| signed(deadline.wall_s)),
                    serde_json::to_string(&held.lease).map_err(unencodable)?,
                ])?;
        }
        Change::Drop(id) => {
            transaction.prepare_cached("DELETE FROM leases WHERE id = ?1")?.execute([id])?;
        }
        Change::Settle(home) => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO homes VALUES (?1,?2,?3,?4,?5,?6)")?
                .execute(params![
                    home.key.project.as_str(),
                    home.key.worktree,
                    home.key.service,
                    home.key.instance,
                    home.port.get(),
                    signed(home.last_use),
                ])?;
        }
        Change::Forget(key) => {
            transaction
                .prepare_cached(
                    "DELETE FROM homes
                     WHERE project = ?1 AND worktree = ?2 AND service = ?3 AND instance = ?4",
                )?
                .execute(params![key.project.as_str(), key.worktree, key.service, key.instance])?;
        }
        Change::Name(label) => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO labels VALUES (?1, ?2, ?3)")?
                .execute(params![label.project.as_str(), label.text, signed(label.last_use)])?;
        }
        Change::Unname(project) => {
            transaction
                .prepare_cached("DELETE FROM labels WHERE project = ?1")?
                .execute([project.as_str()])?;
        }
        Change::Instance(instance) => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO instances VALUES (?1, ?2)")?
                .execute(params![
                    instance.id,
                    serde_json::to_string(instance).map_err(unencodable)?
                ])?;
        }
        Change::ForgetInstance(id) => {
            transaction.prepare_cached("DELETE FROM instances WHERE id = ?1")?.execute([id])?;
        }
        name => write_name(transaction, name)?,
    }
    Ok(())
}

fn write_name(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Alias(alias) => transaction
            .prepare_cached("INSERT OR REPLACE INTO aliases VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                alias.name,
                alias.target.to_string(),
                signed(alias.since),
                alias.checkout.as_ref().map(PathText::as_str),
            ])?,
        Change::Unalias(name) => {
            transaction.prepare_cached("DELETE FROM aliases WHERE name = ?1")?.execute([name])?
        }
        Change::TcpName(named) => transaction
            .prepare_cached("INSERT OR REPLACE INTO tcp_names VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                named.name,
                named.to.map(Port::get),
                signed(named.since),
                agent(named.agent.as_ref())?,
            ])?,
        Change::ForgetTcpName(name) => {
            transaction.prepare_cached("DELETE FROM tcp_names WHERE name = ?1")?.execute([name])?
        }
        Change::Focus(focus) => transaction
            .prepare_cached("INSERT OR REPLACE INTO focuses VALUES (?1,?2,?3,?4,?5,?6,?7,?8)")?
            .execute(params![
                focus.port.get(),
                focus.key.project.as_str(),
                focus.key.worktree,
                focus.key.service,
                focus.key.instance,
                focus.tcp,
                signed(focus.since),
                agent(focus.agent.as_ref())?,
            ])?,
        Change::Unfocus(port) => transaction
            .prepare_cached("DELETE FROM focuses WHERE port = ?1")?
            .execute([port.get()])?,
        _ => 0,
    };
    Ok(())
}

fn agent(agent: Option<&Agent>) -> rusqlite::Result<Option<String>> {
    agent.map(serde_json::to_string).transpose().map_err(unencodable)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unencodable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
