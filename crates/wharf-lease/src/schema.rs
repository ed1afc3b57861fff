//! The database's tables, and how an older one becomes a newer one.

use rusqlite::Connection;

/// One step per version: the step at index `n` leads from version `n` to `n + 1`. A step is never
/// edited once it has been released.
const STEPS: &[&str] = &[
    "
    CREATE TABLE leases (
        id INTEGER PRIMARY KEY,
        port INTEGER NOT NULL UNIQUE CHECK (port BETWEEN 1 AND 65535),
        project TEXT, worktree TEXT, service TEXT, instance INTEGER,
        request_id TEXT NOT NULL,
        slot INTEGER NOT NULL,
        ends_boot_ms INTEGER, ends_boot_id TEXT, ends_wall_s INTEGER,
        lease TEXT NOT NULL,
        UNIQUE (project, worktree, service, instance)
    ) STRICT;
    CREATE TABLE homes (
        project TEXT NOT NULL, worktree TEXT NOT NULL,
        service TEXT NOT NULL, instance INTEGER NOT NULL,
        port INTEGER NOT NULL UNIQUE CHECK (port BETWEEN 1 AND 65535),
        last_use INTEGER NOT NULL,
        PRIMARY KEY (project, worktree, service, instance)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE instances (id TEXT PRIMARY KEY, instance TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE labels (
        project TEXT PRIMARY KEY, label TEXT NOT NULL UNIQUE, last_use INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE aliases (
        name TEXT PRIMARY KEY, target TEXT NOT NULL, since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tcp_names (
        name TEXT PRIMARY KEY,
        port INTEGER CHECK (port BETWEEN 1 AND 65535),
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE focuses (
        port INTEGER PRIMARY KEY CHECK (port BETWEEN 1 AND 65535),
        project TEXT NOT NULL, worktree TEXT NOT NULL,
        service TEXT NOT NULL, instance INTEGER NOT NULL,
        tcp INTEGER NOT NULL CHECK (tcp IN (0, 1)),
        since INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE tcp_names ADD COLUMN agent TEXT;
    ALTER TABLE focuses ADD COLUMN agent TEXT;
    ALTER TABLE aliases ADD COLUMN checkout TEXT;
",
];

/// The version that this program writes.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// Where SQLite keeps `user_version` in the first page: four bytes, big-endian.
const VERSION_OFFSET: usize = 60;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The version in the file's first bytes, read without opening the database: opening one in WAL mode
/// may already write to it. `None` where these are not the first bytes of a database.
pub(crate) fn version_in_header(first_bytes: &[u8]) -> Option<u32> {
    let bytes = first_bytes.get(VERSION_OFFSET..VERSION_OFFSET + 4)?;
    let version = u32::from_be_bytes(bytes.try_into().ok()?);
    first_bytes.starts_with(MAGIC).then_some(version)
}

/// The version by the database's own account.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Leads the database to [`VERSION`] in one transaction.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = version(connection)?;
    if from >= VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in STEPS.iter().skip(from as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_the_first_version_keeps_what_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection
            .execute_batch("INSERT INTO homes VALUES ('/shop', '', 'web', 1, 8000, 7)")
            .unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM homes WHERE port = 8000"), 1);
        assert_eq!(count("SELECT count(*) FROM labels"), 0);
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn a_database_of_the_second_version_keeps_what_it_holds_and_has_room_for_names() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&STEPS[..2].concat()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO homes VALUES ('/shop', '', 'web', 1, 8000, 7);
                 INSERT INTO labels VALUES ('/shop', 'shop', 7);",
            )
            .unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM homes WHERE port = 8000"), 1);
        assert_eq!(count("SELECT count(*) FROM labels WHERE label = 'shop'"), 1);
        assert_eq!(count("SELECT count(*) FROM aliases"), 0);
        assert_eq!(count("SELECT count(*) FROM tcp_names"), 0);
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn a_database_of_the_third_version_keeps_its_names_and_has_room_for_focuses() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&STEPS[..3].concat()).unwrap();
        connection.execute_batch("INSERT INTO tcp_names VALUES ('db', 5432, 7);").unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM tcp_names WHERE port = 5432"), 1);
        assert_eq!(count("SELECT count(*) FROM focuses"), 0);
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn a_database_of_the_fourth_version_keeps_its_names_and_focuses_and_has_room_for_who_asked() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&STEPS[..4].concat()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO tcp_names VALUES ('db', 5432, 7);
                 INSERT INTO aliases VALUES ('api', '5000', 7);
                 INSERT INTO focuses VALUES (3000, '/shop', '', 'web', 1, 0, 7);",
            )
            .unwrap();
        connection.pragma_update(None, "user_version", 4).unwrap();
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM tcp_names WHERE port = 5432 AND agent IS NULL"), 1);
        assert_eq!(count("SELECT count(*) FROM focuses WHERE port = 3000 AND agent IS NULL"), 1);
        assert_eq!(count("SELECT count(*) FROM aliases WHERE checkout IS NULL"), 1);
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn the_header_tells_the_version_without_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
        drop(connection);
        assert_eq!(version_in_header(&std::fs::read(&path).unwrap()), Some(VERSION));
        assert_eq!(version_in_header(b"SQLite format 3\0"), None);
        assert_eq!(version_in_header(&[7; 100]), None);
    }
}
