//! Users and folders as people read them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use wharf_os::user;

/// The user's name, or the number where it has none.
pub fn user_name(uid: u32) -> String {
    user::name(uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The names of users in one look at the machine: each is asked for once, since the database of users may be a
/// file that is read anew each time, or another machine.
#[derive(Debug, Default)]
pub struct UserNames(RefCell<BTreeMap<u32, String>>);

impl UserNames {
    /// As [`user_name`].
    pub fn of(&self, uid: u32) -> String {
        self.0.borrow_mut().entry(uid).or_insert_with(|| user_name(uid)).clone()
    }
}

/// A folder with the home shown as `~`.
pub fn short_folder(folder: &Path) -> String {
    match user::home().as_ref().and_then(|home| folder.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => folder.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_a_tilde_and_its_neighbour_is_not() {
        let home = user::home().unwrap();
        assert_eq!(short_folder(&home), "~");
        assert_eq!(short_folder(&home.join("code/shop")), "~/code/shop");
        let neighbour = format!("{}-2", home.display());
        assert_eq!(short_folder(Path::new(&neighbour)), neighbour);
    }

    #[test]
    fn a_user_without_a_name_has_a_number() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(u32::MAX - 7), format!("uid {}", u32::MAX - 7));
        let names = UserNames::default();
        assert_eq!([names.of(0), names.of(0)], ["root", "root"]);
    }
}
