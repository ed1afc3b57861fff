//! The version of this program, by which an older daemon is known.

/// Marked, so that it is found in the program's file: a test makes an older program of a copy of this
/// one, which no build could give it so cheaply.
static MARKED: &str = concat!("wharf-version=", env!("CARGO_PKG_VERSION"), ";");

/// As `major.minor.patch`.
pub(crate) fn own() -> &'static str {
    // Read where it stands: a compiler that knows the text makes unmarked copies of it.
    let marked = std::hint::black_box(MARKED);
    marked.split(['=', ';']).nth(1).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_mark_is_no_part_of_the_version() {
        assert_eq!(super::own(), env!("CARGO_PKG_VERSION"));
    }
}
